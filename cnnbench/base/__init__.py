"""What every room may use: files that are whole or absent, digests, near words, cores."""
