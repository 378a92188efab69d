"""The words of the command line: sentences, rule lines, remedies, advice and `--json`'s shapes.

Law of this package: from data to text, and never back. It reads no clock, no file and no server.
"""
