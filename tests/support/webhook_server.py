"""A web server on this machine that keeps what is posted to it."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from app.simulator.tls import TlsIdentity


@dataclass
class Posted:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@dataclass
class WebhookServer:
    """What the server answers and what it got; ``answers`` are statuses, one per request, 204 behind them."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    identity: TlsIdentity | None = None

    def trust(self) -> ssl.SSLContext:
        """Trust this server."""
        assert self.identity is not None
        return ssl.create_default_context(cafile=str(self.identity.certificate_file))


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        hook = self.server.hook
        hook.posted.append(Posted(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        status = hook.answers.pop(0) if hook.answers else 204
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", hook.url + "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    hook: WebhookServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that does not trust the certificate ends the session in the middle."""


@contextmanager
def webhook_server(folder: Path | None = None) -> Iterator[WebhookServer]:
    """Run a web server, with TLS when a folder for its certificate is given."""
    hook = WebhookServer(identity=None if folder is None else TlsIdentity(folder, "localhost"))
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.hook = hook
        if hook.identity is not None:
            server.socket = hook.identity.context.wrap_socket(server.socket, server_side=True)
        hook.url = f"{'http' if folder is None else 'https'}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02))
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()
