"""Classes of HTTP status codes, as ranges: `status in SUCCESS`."""

SUCCESS = range(200, 300)
REDIRECTION = range(300, 400)
FINAL = range(200, 600)
