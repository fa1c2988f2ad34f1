"""Datastore files over HTTPS: ``/folder/<directory>/<file>?dcPath=<datacenter>&dsName=<datastore>``.

GET with one range or whole, HEAD, and PUT of files that are no disk's. Every request needs a live session's
cookie or an account's name and password (basic). What a running VM writes to is refused, and so are the files
of a disk on vSAN, which are no files there.
"""

import base64
import binascii
import contextlib
import re
import secrets
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from app.domain.extents import Extent
from app.simulator.client_sessions import COOKIE_NAME
from app.simulator.storage import (
    DatastoreFull,
    DatastorePath,
    DiskInUse,
    DiskStore,
    Door,
    InvalidDatastorePath,
    SimDatastore,
    SimDisk,
)
from app.simulator.storage.naming import EXTENT_SUFFIXES
from app.simulator.storage.places import StoredFile, StoredPath, open_file, rename

_PREFIX = "/folder"
_PIECE_BYTES = 1 << 20
_DRAINED_BYTES = 16 << 20
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Account(Protocol):
    """An account or session that may be allowed things."""

    @property
    def privileges(self) -> frozenset[str] | None:
        """The granted privileges; None: all."""
        ...


class LoggedIn(Protocol):
    """A live session."""

    def holds(self, privilege: str) -> bool:
        """Return whether its account has a privilege."""
        ...


class FolderSessions(Protocol):
    """Knows who a client is; the simulator's ``ClientSessions`` fulfils it. Thread: any."""

    def authenticated(self, cookie: str | None) -> LoggedIn | None:
        """Return the logged-in session of a cookie, or None."""
        ...

    def account(self, name: str, password: str) -> Account | None:
        """Return the account when the password is right, else None."""
        ...


class Interruption(Protocol):
    """What a fault script does to a connection."""

    @property
    def stall_s(self) -> float | None:
        """Seconds to hold still; None cuts the connection."""
        ...

    @property
    def meanwhile(self) -> Callable[[], None] | None:
        """What is done while it stalls, or after it was cut and before its client can notice."""
        ...


class Encryption(Protocol):
    """How a file is encrypted. Thread: any."""

    def encrypt(self, offset: int, data: memoryview) -> None:
        """Encrypt the bytes at an offset of the file in place."""
        ...


class HttpsFaults(Protocol):
    """The part of the fault script that concerns datastore files. Thread: any."""

    def https_sent(self, n_bytes: int) -> Interruption | None:
        """Count bytes that travel; return what is to happen to this connection now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPorts:
    """What the handler works with."""

    sessions: FolderSessions
    datastores: Mapping[str, SimDatastore]
    disks: DiskStore
    has_datacenter: Callable[[str], bool]
    """Returns whether there is a datacenter of that path."""
    is_locked: Callable[[DatastorePath], bool]
    """Returns whether a file belongs to the disk that a running VM writes to."""
    cipher_of: Callable[[DatastorePath], Encryption | None] = lambda _: None
    """Returns how a file is encrypted; None when it is not."""
    faults: HttpsFaults | None = None
    key_of: Callable[[str, str], str] = lambda _, name: name
    """Return the name under which ``datastores`` has the datastore of a datacenter's path and a name."""


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class _Cut(Exception):
    """The fault script wants this connection dead."""

    def __init__(self, meanwhile: Callable[[], None] | None) -> None:
        super().__init__()
        self.meanwhile = meanwhile


class FolderHandler:
    """Answers requests below ``/folder`` for the HTTPS server.

    Thread: any; each call serves one request on the caller's thread.
    """

    def __init__(self, ports: FolderPorts) -> None:
        self._ports = ports
        self._methods = {"GET": self._get, "HEAD": self._get, "PUT": self._put}

    @staticmethod
    def serves(target: str) -> bool:
        """Return whether a request's target is below ``/folder``."""
        path = urlsplit(target).path
        return path == _PREFIX or path.startswith(f"{_PREFIX}/")

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request; its headers are read, its body is not.

        Raises:
            OSError: the connection broke.
        """
        try:
            method = self._methods.get(request.command)
            if method is None:
                raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "GET, HEAD or PUT", Allow="GET, HEAD, PUT")
            self._authorize(request)
            method(request, self._locate(request))
        except _Refused as refused:
            _answer_refusal(request, refused)
        except DiskInUse as error:
            _answer_refusal(request, _Refused(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)))
        except _Cut as cut:
            if cut.meanwhile is not None:
                cut.meanwhile()
            _cut(request)

    # ---- who and what ----------------------------------------------------------------------------------

    def _authorize(self, request: BaseHTTPRequestHandler) -> None:
        privilege = "Datastore.FileManagement" if request.command == "PUT" else "Datastore.Browse"
        session = self._ports.sessions.authenticated(_cookie(request))
        if session is not None:
            allowed = session.holds(privilege)
        else:
            name, password = _basic_credentials(request)
            account = self._ports.sessions.account(name, password) if name else None
            if account is None:
                raise _Refused(
                    HTTPStatus.UNAUTHORIZED, "log in first", WWW_Authenticate='Basic realm="VMware HTTP server"'
                )
            allowed = account.privileges is None or privilege in account.privileges
        if not allowed:
            raise _Refused(HTTPStatus.FORBIDDEN, f"the privilege {privilege} is missing")

    def _locate(self, request: BaseHTTPRequestHandler) -> tuple[SimDatastore, DatastorePath]:
        parts = urlsplit(request.path)
        query = parse_qs(parts.query)
        datacenter = query.get("dcPath", ["ha-datacenter"])[0]
        datastore = self._ports.datastores.get(self._ports.key_of(datacenter, query.get("dsName", [""])[0]))
        if datastore is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such datastore")
        if not self._ports.has_datacenter(datacenter):
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such datacenter")
        try:
            path = datastore.path(unquote(parts.path, errors="strict").removeprefix(_PREFIX).lstrip("/"))
            datastore.resolve(path)
        except (InvalidDatastorePath, UnicodeDecodeError) as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, "not a path on a datastore") from error
        return datastore, path

    # ---- reading ---------------------------------------------------------------------------------------

    def _get(self, request: BaseHTTPRequestHandler, place: tuple[SimDatastore, DatastorePath]) -> None:
        datastore, path = place
        file = datastore.resolve(path)
        with ExitStack() as stack:
            disk = self._ports.disks.owner_of(path)
            if disk is not None:
                stack.enter_context(self._pinned(disk, path))
            # only a pin keeps the file where it is
            if not file.is_file() or (datastore.kind == "vsan" and path.name.endswith(EXTENT_SUFFIXES)):
                raise _Refused(HTTPStatus.NOT_FOUND, "there is no such file")
            if self._ports.is_locked(path):
                raise _Refused(HTTPStatus.FORBIDDEN, "the file is locked by a running virtual machine")
            source = stack.enter_context(open_file(file))
            self._send(request, source, self._ports.cipher_of(path))

    @staticmethod
    def _pinned(disk: SimDisk, path: DatastorePath) -> AbstractContextManager[None]:
        if not path.name.endswith(EXTENT_SUFFIXES):
            return disk.pinned()
        return disk.pinned(by=Door.FOLDER, against=Door.NFC)

    def _send(self, request: BaseHTTPRequestHandler, source: StoredFile, cipher: Encryption | None) -> None:
        size_bytes = source.size_bytes()
        part = _requested_range(request, size_bytes)
        if part is None:
            request.send_response(HTTPStatus.OK)
            part = Extent(0, size_bytes)
        else:
            request.send_response(HTTPStatus.PARTIAL_CONTENT)
            request.send_header("Content-Range", f"bytes {part.start}-{part.end - 1}/{size_bytes}")
        request.send_header("Content-Type", "application/octet-stream")
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Length", str(part.length_bytes))
        request.end_headers()
        if request.command == "HEAD":
            return
        buffer = memoryview(bytearray(min(_PIECE_BYTES, part.length_bytes)))
        for start in range(part.start, part.end, _PIECE_BYTES):
            piece = buffer[: min(_PIECE_BYTES, part.end - start)]
            source.readinto(start, piece)
            if cipher is not None:
                cipher.encrypt(start, piece)
            interruption = None if self._ports.faults is None else self._ports.faults.https_sent(len(piece))
            if interruption is not None and interruption.stall_s is None:
                request.wfile.write(piece[: len(piece) // 2])
                raise _Cut(interruption.meanwhile)
            if interruption is not None and interruption.meanwhile is not None:
                interruption.meanwhile()
            request.wfile.write(piece)

    # ---- writing ---------------------------------------------------------------------------------------

    def _put(self, request: BaseHTTPRequestHandler, place: tuple[SimDatastore, DatastorePath]) -> None:
        datastore, path = place
        file = datastore.resolve(path)
        length = request.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "the length must be given")
        if not path.relative or file.is_dir() or not file.parent.is_dir():
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such directory")
        if self._ports.is_locked(path) or self._ports.disks.owner_of(path) is not None:
            raise _Refused(HTTPStatus.FORBIDDEN, "the file belongs to a virtual disk")
        existed = file.exists()
        before_bytes = datastore.booked_bytes(path.relative)
        try:
            datastore.book(path.relative, int(length) - before_bytes)
        except DatastoreFull as error:
            raise _Refused(HTTPStatus.INSUFFICIENT_STORAGE, str(error)) from error
        try:
            _receive(request, file, int(length))
        except OSError:
            datastore.set_booking(path.relative, before_bytes)
            raise
        request.send_response(HTTPStatus.OK if existed else HTTPStatus.CREATED)
        request.send_header("Content-Length", "0")
        request.end_headers()


def _receive(request: BaseHTTPRequestHandler, file: StoredPath, length_bytes: int) -> None:
    """Write the body into a file that takes its place once it is complete."""
    partial = file.with_name(f".{file.name}.{secrets.token_hex(8)}.part")
    try:
        with open_file(partial, create_bytes=0) as target:
            received = 0
            while received < length_bytes:
                data = request.rfile.read(min(length_bytes - received, _PIECE_BYTES))
                if not data:
                    raise ConnectionResetError("the client went away within the body")
                target.write(received, data)
                received += len(data)
        rename(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def _requested_range(request: BaseHTTPRequestHandler, size_bytes: int) -> Extent | None:
    """Return the one range that is asked for; None when the whole file is, or several ranges are."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if first:
        start = int(first)
        end = min(int(last) + 1, size_bytes) if last else size_bytes
        if last and int(last) < start:
            return None
    else:
        start, end = max(0, size_bytes - int(last)), size_bytes
    if start >= end:
        raise _Refused(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "nothing there", Content_Range=f"bytes */{size_bytes}"
        )
    return Extent(start, end - start)


def _cookie(request: BaseHTTPRequestHandler) -> str | None:
    cookies: SimpleCookie = SimpleCookie()
    with contextlib.suppress(CookieError):  # then there is none
        cookies.load(request.headers.get("Cookie", ""))
    morsel = cookies.get(COOKIE_NAME)
    return None if morsel is None else morsel.value


def _basic_credentials(request: BaseHTTPRequestHandler) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


def _answer_refusal(request: BaseHTTPRequestHandler, refused: _Refused) -> None:
    text = f"{refused.reason}\n".encode()
    if request.command not in ("GET", "HEAD"):
        # What is left of a body would be taken for the next request; a short one is read, so that the client
        # hears the answer instead of a reset.
        request.close_connection = True
        length = request.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) <= _DRAINED_BYTES:
            request.rfile.read(int(length))
    request.send_response(refused.status)
    for name, value in refused.headers.items():
        request.send_header(name, value)
    request.send_header("Content-Type", "text/plain; charset=utf-8")
    request.send_header("Content-Length", str(len(text)))
    if request.close_connection:
        request.send_header("Connection", "close")
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(text)


def _cut(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    with contextlib.suppress(OSError):  # the client may have gone first
        socket.socket.shutdown(request.connection, socket.SHUT_RDWR)
