#!/bin/sh
# A stand-in for the application: answers every path with the zone it runs in. Needs nothing from the internet.
zone=$(curl -s -H 'Metadata-Flavor: Google' http://metadata.google.internal/computeMetadata/v1/instance/zone)
mkdir -p /srv/app
cat >/srv/app/server.py <<'PYTHON'
import http.server
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{sys.argv[1]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
PYTHON
systemd-run --unit=app --property=DynamicUser=yes --property=Restart=always python3 /srv/app/server.py "${zone##*/}"
