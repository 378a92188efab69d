"""What is known of a service and of its decisions: read from the document and the journal.

Law of this package: it reads only. What cannot be read is shown as unknown.
"""
