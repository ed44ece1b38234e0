"""One file a section of the page: its sentences, its table, its note."""
