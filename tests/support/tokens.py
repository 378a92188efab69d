"""Tokens as Google makes them, a server of certificates, and the function under its framework."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt

from orchestrator.intake.admission import REMOVED

ALERTS = "failover-alerts-push@laptop.iam.gserviceaccount.com"
CONTROL = "failover-control-push@laptop.iam.gserviceaccount.com"
AUDIENCE = "https://failover-alerts-123.us-east4.run.app"
SUBSCRIPTION = "projects/laptop/subscriptions/failover-alerts"


def claims(**changes: Any) -> dict[str, Any]:
    """What Google says in a token of the alerts' subscription; None takes a claim out."""
    now = datetime.now(UTC)
    found: dict[str, Any] = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "sub": "117",
        "azp": "117",
        "email": ALERTS,
        "email_verified": True,
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(hours=1)).timestamp()),
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


def encoded(value: object) -> str:
    """One part of a token."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def stripped(**changes: Any) -> str:
    """The header of a request whose token Cloud Run has checked, or somebody says so."""
    head = encoded({"alg": "RS256", "kid": "one", "typ": "JWT"})
    return f"Bearer {head}.{encoded(claims(**changes))}.{REMOVED}"


@dataclass(frozen=True, slots=True)
class Key:
    """A private key and its certificate, both PEM."""

    private: bytes
    certificate: str


@cache
def key(name: str) -> Key:
    """A key of this name, the same in every test."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(made.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(made, hashes.SHA256())
    )
    private = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return Key(private, certificate.public_bytes(serialization.Encoding.PEM).decode())


def signed(by: str = "google", kid: str = "one", **changes: Any) -> str:
    """The header of a request with a token that this key has signed."""
    signer: Any = crypt.RSASigner.from_string(key(by).private, kid)
    token: bytes = jwt.encode(signer, claims(**changes))
    return f"Bearer {token.decode()}"


@dataclass
class Certificates:
    """A server of certificates that counts. status: what it answers with. known: keys by id."""

    url: str = ""
    status: int = 200
    body: bytes | None = None
    control: str = "public, max-age=20000"
    known: dict[str, str] = field(default_factory=lambda: {"one": "google"})
    asked: int = 0

    def answer(self) -> bytes:
        """The certificates of the known keys."""
        self.asked += 1
        found = {kid: key(name).certificate for kid, name in self.known.items()}
        return json.dumps(found).encode() if self.body is None else self.body


@contextmanager
def certificates() -> Iterator[Certificates]:
    """The server, listening on the loopback interface."""
    made = Certificates()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            body = made.answer()
            self.send_response(made.status)
            self.send_header("Cache-Control", made.control)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}/certs"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield made
        finally:
            server.shutdown()
