"""The pure core: what should be, and what must change for it to be so.

Law of this package: no I/O, no clock, no randomness, no logging. Time and identifiers are
arguments, reasons are values. The same arguments always give the same answer.
"""
