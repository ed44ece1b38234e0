"""One file a figure, drawn with matplotlib."""
