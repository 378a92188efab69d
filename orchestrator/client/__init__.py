"""What applications import: a DynamoDB client that knows the regions, and the health endpoint.

Public are these modules, and what docs/client.md shows of them stays as it is:

    dynamodb    MultiRegionDynamoDB: boto3's DynamoDB over the regions
    errors      what a call can raise, and a source of the document
    sources     where the document is read from: a bucket, a file, HTTP, SSM, Redis
    source      what a source of your own has to do
    view        DocumentView: the newest document, shared by a client and a health check
    document    the document as it is read
    allowed     which endpoints beside AWS's names an application takes
    health      HealthCheck: the health endpoint
    flask       the health endpoint as a blueprint
    wsgi        the health endpoint before a WSGI application
    asgi        the health endpoint before an ASGI application
    own_items   the items of our own in a region's table
    heartbeat   Heartbeat: how far other regions are behind this one
    testing     regions that fail on command, for an application's tests

All others are private, and change without notice.

Law of this package: a request never waits for the document, and never takes a lock that a network
call is made under; nothing is started or read at import; it needs none of the orchestrator's own
dependencies, and of the orchestrator itself only the pure core.
"""
