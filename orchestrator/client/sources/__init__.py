"""Where the document is read from: a bucket, a file, an HTTP server, SSM, Redis.

Law of this package: each module is one `Source` and imports its library when it is first asked;
foreign errors become SourceUnavailable; a source remembers nothing of the document.
"""
