"""What every room may use: durable files, digests, near words, failpoints."""
