"""A client that asks an ASGI application in this process."""

from __future__ import annotations

import asyncio
import json
import ssl
from urllib.parse import urlsplit

__all__ = ["Client"]


class Client:
    """Asks an app, as the holder of a certificate where one is given."""

    def __init__(self, app, certificate_der=None):
        self.app = app
        self.chain = [] if certificate_der is None else [ssl.DER_cert_to_PEM_cert(certificate_der)]

    def __call__(self, path, body=None, *, host="node", headers=None):
        address = urlsplit(path)
        sent, received = [], [{"type": "http.request", "body": json.dumps(body).encode() if body is not None else b""}]
        scope = {
            "type": "http",
            "method": "GET" if body is None else "POST",
            "path": address.path,
            "raw_path": address.path.encode(),
            "query_string": address.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in {"host": host, **(headers or {})}.items()],
            "scheme": "http",
            "server": ("node", 80),
            "root_path": "",
            "extensions": {"tls": {"client_cert_chain": self.chain}},
        }

        async def receive():
            return received.pop(0) if received else {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        start, *bodies = sent
        return start["status"], start["headers"], b"".join(message.get("body", b"") for message in bodies)

    def json(self, path, body=None):
        status, _, answer = self(path, body)
        assert status == 200, answer
        return json.loads(answer)
