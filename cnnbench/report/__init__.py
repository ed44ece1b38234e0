"""What can be read off a run folder: tables, comparisons, pictures and two pages."""
