"""HTTPS on a loopback port: SOAP under ``/sdk``, datastore files under ``/folder``."""

import contextlib
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import urlsplit

from app.core.connections import end_connection
from app.simulator.client_sessions import COOKIE_NAME, ClientSessions, OutOfSessions
from app.simulator.listening import family_of
from app.simulator.soap.dispatcher import Dispatcher
from app.simulator.tls import TlsIdentity

_log = logging.getLogger(__name__)

_BACKLOG = 128
_HANDSHAKE_S = 20.0
_IDLE_S = 1200.0
_MOST_BODY_BYTES = 64 << 20
_COOKIE = re.compile(rf'{COOKIE_NAME}="?([^";\s]+)"?')
_XML = "text/xml; charset=utf-8"


class FolderHandler(Protocol):
    """Serves datastore files. Thread: any, one request per thread."""

    def serves(self, target: str) -> bool:
        """Return whether a request's target is below ``/folder``."""
        ...

    def handle(self, request: "RequestHandler") -> None:
        """Answer a request whose path begins with ``/folder``, authentication included."""
        ...


class HttpsServer:
    """Accepts connections on an address of this machine and gives each a thread.

    Thread: :meth:`start` and :meth:`stop` one at a time.

    Attributes:
        dispatcher: answers SOAP.
        sessions: who is logged in.
        folder: serves datastore files; None: there are none.
        unavailable: True answers every request with 503, as vSphere's proxy does while services start.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        sessions: ClientSessions,
        tls: TlsIdentity,
        folder: FolderHandler | None = None,
    ) -> None:
        self.dispatcher = dispatcher
        self.sessions = sessions
        self.folder = folder
        self.unavailable = False
        self._tls = tls
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on.

        Raises:
            RuntimeError: it is not started.
        """
        if self._listener is None:
            raise RuntimeError("the HTTPS server is not started")
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        with self._lock:
            return len(self._connections)

    def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen and accept; port 0 takes a free one.

        Raises:
            OSError: the port is taken.
        """
        self._stopping.clear()
        self._listener = socket.create_server((host, port), family=family_of(host), backlog=_BACKLOG)
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), name="sim-https-accept")
        self._acceptor.start()

    def stop(self) -> None:
        """Cut every connection and wait for all threads; stopping twice is fine."""
        self._stopping.set()
        if self._listener is not None:
            end_connection(self._listener)
            self._listener.close()
        if self._acceptor is not None:
            self._acceptor.join()
        with self._lock:
            threads = list(self._connections)
        self.cut_connections()
        for thread in threads:
            thread.join()
        self._listener = self._acceptor = None

    def cut_connections(self) -> None:
        """Cut every connection, as a rebooting server would."""
        with self._lock:
            for control in self._connections.values():
                end_connection(control)

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                connection, address = listener.accept()
            except OSError:  # the listener was closed, or the client gave up already, or files ran out
                self._stopping.wait(0.02)
                continue
            # cutting a connection goes through a second descriptor, because TLS belongs to the serving thread
            control = connection.dup()
            thread = threading.Thread(
                target=self._serve, args=(connection, control, address), name="sim-https-client"
            )
            with self._lock:
                self._connections[thread] = control
            thread.start()

    def _serve(self, connection: socket.socket, control: socket.socket, address: tuple[str, int]) -> None:
        try:
            connection.settimeout(_HANDSHAKE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._tls.context.wrap_socket(connection, server_side=True) as secured:
                secured.settimeout(_IDLE_S)
                RequestHandler(secured, address, self)
        except (OSError, ValueError) as error:
            _log.debug("connection of %s ended: %s", address[0], error)
        finally:
            connection.close()
            control.close()
            with self._lock:
                self._connections.pop(threading.current_thread(), None)


class RequestHandler(BaseHTTPRequestHandler):
    """Handles the requests of one connection. Thread: the connection's."""

    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    sys_version = ""
    wbufsize = 1 << 16
    server: Any

    def __init__(self, connection: ssl.SSLSocket, address: tuple[str, int], server: HttpsServer) -> None:
        self._https = server
        super().__init__(connection, address, server)  # type: ignore[arg-type] # nothing else of it is used

    @property
    def sessions(self) -> ClientSessions:
        """Who is logged in."""
        return self._https.sessions

    @property
    def session_cookie(self) -> str | None:
        """Value of the session cookie that the client sent."""
        match = _COOKIE.search(self.headers.get("Cookie", ""))
        return match[1] if match is not None else None

    def do_POST(self) -> None:
        """Answer SOAP."""
        body = self._body()
        if body is None or self._refused():
            return
        if urlsplit(self.path).path.rstrip("/") not in ("/sdk", "/sdk/vimService"):
            self.reply(404, b"", "text/plain")
            return
        try:
            reply = self._https.dispatcher.answer(
                body,
                action=self.headers.get("SOAPAction", ""),
                cookie=self.session_cookie,
                address=str(self.client_address[0]),
                agent=self.headers.get("User-Agent", ""),
            )
        except OutOfSessions:
            self.reply(503, b"", "text/plain")
            return
        if reply.body is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        headers = {}
        if reply.cookie is not None:
            headers["Set-Cookie"] = f'{COOKIE_NAME}="{reply.cookie}"; Path=/; HttpOnly; Secure;'
        self.reply(reply.status, reply.body, _XML, headers)

    def do_GET(self) -> None:
        """Answer version negotiation, datastore files, and a browser's first look."""
        path = urlsplit(self.path).path
        if self._refused():
            return
        if path == "/sdk/vimServiceVersions.xml":
            self.reply(200, self._https.dispatcher.version_list(), "text/xml")
        elif path == "/":
            self.reply(200, b"A simulated vSphere. SOAP answers under /sdk.\n", "text/plain")
        else:
            self._folder_or_nothing()

    def do_HEAD(self) -> None:
        """Answer about datastore files."""
        self._folder_or_nothing()

    def do_PUT(self) -> None:
        """Receive datastore files."""
        self._folder_or_nothing()

    def do_DELETE(self) -> None:
        """Delete datastore files."""
        self._folder_or_nothing()

    def reply(self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Write to the log instead of standard error."""
        _log.debug(format, *args)

    def handle_one_request(self) -> None:
        """Handle one request; a client that goes away ends its connection quietly."""
        try:
            super().handle_one_request()
        except OSError as error:
            _log.debug("client went away: %s", error)
            self.close_connection = True

    def finish(self) -> None:
        """Close the streams; what could not be sent is lost."""
        with contextlib.suppress(OSError):
            super().finish()
        for close in (self.wfile.close, self.rfile.close):
            _quietly(close)

    def _refused(self) -> bool:
        """Answer 503 while the services behind this server are away; return whether it did."""
        if self._https.unavailable:
            self.close_connection = True
            self.reply(503, b"", "text/plain")
        return self._https.unavailable

    def _folder_or_nothing(self) -> None:
        if self._refused():
            return
        folder = self._https.folder
        if folder is not None and folder.serves(self.path):
            folder.handle(self)
            return
        self.close_connection = self.command == "PUT"
        self.reply(404, b"", "text/plain")

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self.close_connection = True
            self.reply(411, b"", "text/plain")
            return None
        if int(length) > _MOST_BODY_BYTES:
            self.close_connection = True
            self.reply(413, b"", "text/plain")
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        return body


def _quietly(close: Callable[[], None]) -> None:
    with contextlib.suppress(OSError, ValueError):
        close()
