"""What comes in becomes a signal: whose push it is, which message, which region it is about."""
