"""How a command is given and followed to its end.

Law of this package: nothing is published before the world was looked at, and a command that was
published is never said to have failed while its outcome is unknown.
"""
