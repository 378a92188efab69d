"""What applications import: a DynamoDB client that knows the regions, and the health endpoint.

Public are these modules, and what docs/client.md shows of them stays as it is:

    dynamodb    MultiRegionDynamoDB: boto3's DynamoDB over the regions
    errors      what a call can raise, and a source of the document
    sources     where the document is read from: a bucket, a file, HTTP, SSM, Redis
    document    DocumentView, the document as it is read, and what a source of your own does
    allowed     which endpoints beside AWS's names an application takes
    health      HealthCheck, Heartbeat, and the items of our own in a region's table
    flask       the health endpoint as a blueprint
    wsgi        the health endpoint before a WSGI application
    asgi        the health endpoint before an ASGI application
    testing     regions that fail on command, for an application's tests

All others are private, and change without notice. Their names, or those of their rooms, begin with
an underscore. What `document`, `health`, `sources` and `testing` have is imported from there.

Law of this package: a request never waits for the document, and never takes a lock that a network
call is made under; nothing is started or read at import; it needs none of the orchestrator's own
dependencies, and of the orchestrator itself only the pure core.
"""
