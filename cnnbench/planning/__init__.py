"""From names and numbers that were typed to a checked plan of cells."""
