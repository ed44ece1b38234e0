"""From a folder, a seed or a library to named splits of images."""
