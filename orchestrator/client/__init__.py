"""What applications import: a DynamoDB client that knows the regions, and the health endpoint.

Law of this package: a request never waits for the document, and never takes a lock that a network
call is made under; nothing is started or read at import; it needs none of the orchestrator's own
dependencies, and of the orchestrator itself only the pure core.
"""
