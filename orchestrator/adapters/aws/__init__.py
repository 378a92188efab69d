"""Where the document is mirrored to for applications: AWS SSM Parameter Store.

Law of this package: a mirror is written off the path, after the shift; what it cannot do harms no
failover. Its library is no part of the function's own requirements, and is imported by the first
document that is published.
"""
