"""What is written down of each invocation, after it happened, and read again."""
