"""The ports without a cloud: a folder for the embedded default, memory for tests."""
