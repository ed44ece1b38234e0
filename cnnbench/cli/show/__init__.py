"""What people see: tables, sentences or JSON on stdout, progress on stderr."""
