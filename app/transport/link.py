"""One TCP connection, plain or inside TLS, with time limits and a way to be cancelled.

Waiting is cut into slices: after each one the cancel token and the time limit are looked at, so that a silent
host can neither hang a task nor keep it from being stopped. On POSIX the plain socket blocks and the kernel
ends each slice (``SO_RCVTIMEO``), which lets one system call fill a whole buffer; elsewhere, and inside TLS,
Python's own time-outs do.
"""

import selectors
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import Self

from app.core.cancel import CancelToken
from app.domain.reasons import reason_of
from app.domain.systemerrors import error_of_code
from app.transport.certificates import pinned_context, verifying_context
from app.transport.errors import (
    LinkClosed,
    LinkFailure,
    LinkStalled,
    LinkUnreachable,
    NameNotResolved,
    TlsFailed,
    TlsTooWeak,
)
from app.transport.reasons import (
    CONNECTION_BROKE_FOR,
    HANDSHAKE_FAILED,
    HOST_CLOSED,
    LINE_TOO_LONG,
    NAME_UNRESOLVED,
    NO_ADDRESS,
    SENT_TOO_LITTLE,
    SILENT,
    TOO_MUCH_BEFORE_PLAIN,
    TOOK_TOO_LITTLE,
)

SLICE_S = 0.25
"""Longest wait between two looks at the cancel token."""
_SCRATCH_BYTES = 256 * 1024
_LONGEST_SEND_BYTES = 256 * 1024
"""Windows takes over a buffer of any size when it holds little: a host that takes nothing would not be noticed."""
_OLD_CIPHERS = "DEFAULT:@SECLEVEL=1"
_TOO_WEAK = frozenset(
    {"DH_KEY_TOO_SMALL", "EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "WRONG_SIGNATURE_TYPE"}
)
"""OpenSSL's names for what its security level 2 does not take and level 1 does."""

_KERNEL_TIMEOUTS = hasattr(socket, "MSG_WAITALL") and hasattr(socket.socket, "sendmsg")
"""True on POSIX. On Windows a socket is in no defined state after ``SO_RCVTIMEO`` struck."""


class Link:
    """A connection that fills buffers exactly, or fails.

    After any failure, and after a cancellation in the middle of a transfer, nothing but :meth:`close` makes sense.

    Thread: one at a time.
    """

    def __init__(self, sock: socket.socket, host: str, cancel: CancelToken) -> None:
        self._host = host
        self._cancel = cancel
        self._sock = sock
        self._receive: Callable[[memoryview], int]
        self._use_plain()

    @classmethod
    def connect(
        cls,
        host: str,
        port: int,
        *,
        timeout_s: float,
        cancel: CancelToken,
        prepare: Callable[[socket.socket], None] | None = None,
        known_as: str = "",
    ) -> Self:
        """Open a TCP connection without delays for small packets.

        Args:
            host: name or address.
            port: of the server.
            timeout_s: for all addresses of the name together.
            cancel: ends the wait, and later ones.
            prepare: called with each socket before it is connected.
            known_as: the name that its certificate is for, where it is not ``host``.

        Raises:
            NameNotResolved: nobody here knows the name.
            LinkUnreachable: no one answers there.
            TaskCancelled: cancelled meanwhile.
        """
        limit = time.monotonic() + timeout_s
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NameNotResolved(NAME_UNRESOLVED.fill(host=host, reason=reason_of(error))) from error
        failure: LinkUnreachable = LinkUnreachable(NO_ADDRESS.fill(host=host))
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                if prepare is not None:
                    prepare(sock)
                _connect(sock, address, limit, cancel)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                return cls(sock, known_as or host, cancel)
            except OSError as error:
                sock.close()
                failure = LinkUnreachable(reason_of(error))
            except BaseException:
                sock.close()
                raise
        raise failure

    def start_tls(self, *, pinned: bool, timeout_s: float, is_old: bool = False) -> bytes:
        """Put a TLS layer on the connection and return the host's certificate (DER).

        With ``pinned`` any certificate is accepted, and the caller compares it before it says anything. ``is_old``
        also takes key exchanges that only hosts of ESXi 6.5 and 6.7 still need.

        Raises:
            LinkFailure: the handshake failed.
            TaskCancelled: cancelled meanwhile.
        """
        limit = time.monotonic() + timeout_s
        try:
            # The machine's own store of authorities is asked within the handshake, which then comes in one piece.
            self._sock.settimeout(SLICE_S if pinned else timeout_s)
            context = pinned_context() if pinned else verifying_context()
            if is_old:
                context.set_ciphers(_OLD_CIPHERS)
            tls = context.wrap_socket(self._sock, server_hostname=self._host, do_handshake_on_connect=not pinned)
            self._sock = tls
            self._receive = tls.recv_into
            while pinned and not _shook_hands(tls):
                self._pause(limit)
            tls.settimeout(SLICE_S)
            return tls.getpeercert(binary_form=True) or b""
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", "")  # which the check by Windows' own store does not give
            failed = TlsTooWeak if reason in _TOO_WEAK else TlsFailed
            raise failed(HANDSHAKE_FAILED.fill(reason=reason_of(error))) from error

    @property
    def tls_facts(self) -> str:
        """What the TLS layer agreed on, such as ``TLSv1.3 TLS_AES_256_GCM_SHA384``; empty without one."""
        if not isinstance(self._sock, ssl.SSLSocket):
            return ""
        cipher = self._sock.cipher()
        return f"{self._sock.version()} {cipher[0] if cipher else ''}"

    def drop_tls(self) -> None:
        """Go on in plain text on the same connection; the TLS layer is dropped without a shutdown.

        OpenSSL reads record by record, never ahead, so that no byte of what follows can be inside the layer.

        Raises:
            LinkFailure: decrypted bytes that no one asked for are left over.
        """
        tls = self._sock
        if not isinstance(tls, ssl.SSLSocket):
            raise TypeError("there is no TLS layer")
        if tls.pending():
            raise LinkFailure(TOO_MUCH_BEFORE_PLAIN)
        self._sock = socket.socket(fileno=tls.detach())
        self._use_plain()

    def receive_into(self, view: memoryview, *, within_s: float) -> None:
        """Fill the whole buffer.

        Raises:
            LinkFailure: the connection ended, or the bytes did not come in time.
            TaskCancelled: cancelled while waiting; part of the buffer may be filled.
        """
        missing = len(view)
        limit = 0.0
        receive = self._receive
        while missing:
            try:
                count = receive(view)
            except (BlockingIOError, TimeoutError):
                limit = limit or time.monotonic() + within_s - SLICE_S
                self._pause(limit)
                continue
            except (OSError, ValueError) as error:
                raise _closed(error) from error
            if count == missing:
                return
            if not count:
                raise LinkClosed(HOST_CLOSED)
            missing -= count
            view = view[count:]
            if not limit:
                limit = time.monotonic() + within_s
            elif time.monotonic() > limit:
                raise LinkStalled(SENT_TOO_LITTLE.fill(seconds=f"{within_s:g}"))

    def receive_some(self, view: memoryview, *, within_s: float) -> int:
        """Put at least one byte into the buffer and return how many came.

        Raises:
            LinkFailure: the connection ended, or nothing came in time.
            TaskCancelled: cancelled while waiting.
        """
        limit = time.monotonic() + within_s
        while True:
            try:
                count = self._sock.recv_into(view)
            except (BlockingIOError, TimeoutError):
                self._pause(limit)
                continue
            except (OSError, ValueError) as error:
                raise _closed(error) from error
            if not count:
                raise LinkClosed(HOST_CLOSED)
            return count

    def pass_over(self, *, within_s: float) -> None:
        """Receive whatever still comes, and forget it, until the other side closes the connection.

        Raises:
            LinkFailure: it was closed, or not in time.
            TaskCancelled: cancelled while waiting.
        """
        limit = time.monotonic() + within_s
        scratch = memoryview(bytearray(_SCRATCH_BYTES))
        while time.monotonic() < limit:
            self.receive_some(scratch, within_s=max(0.0, limit - time.monotonic()))

    def receive(self, size_bytes: int, *, within_s: float) -> bytes:
        """Return exactly so many bytes; meant for small pieces.

        Raises:
            LinkFailure: the connection ended, or the bytes did not come in time.
            TaskCancelled: cancelled while waiting.
        """
        data = bytearray(size_bytes)
        self.receive_into(memoryview(data), within_s=within_s)
        return bytes(data)

    def receive_line(self, *, longest_bytes: int, within_s: float) -> str:
        """Return a line without its end; not one byte behind it is taken from the connection.

        Raises:
            LinkFailure: the connection ended, the line did not come in time, or it is too long.
            TaskCancelled: cancelled while waiting.
        """
        limit = time.monotonic() + within_s
        line = bytearray()
        while not line.endswith(b"\n"):
            if len(line) > longest_bytes:
                raise LinkFailure(LINE_TOO_LONG.fill(bytes=longest_bytes))
            line += self.receive(1, within_s=max(0.0, limit - time.monotonic()))
        return line.decode("utf-8", "replace").rstrip("\r\n")

    def send(self, *buffers: bytes | bytearray | memoryview, within_s: float) -> None:
        """Send all buffers, one behind the other.

        Raises:
            LinkFailure: the connection ended, or the host did not take the bytes in time.
            TaskCancelled: cancelled while waiting; part may be sent.
        """
        limit = time.monotonic() + within_s
        views = [memoryview(buffer) for buffer in buffers if len(buffer)]
        together = _KERNEL_TIMEOUTS and not isinstance(self._sock, ssl.SSLSocket)
        while views:
            try:
                count = self._sock.sendmsg(views) if together else self._sock.send(views[0][:_LONGEST_SEND_BYTES])
            except (BlockingIOError, TimeoutError):
                self._pause(limit)
                continue
            except (OSError, ValueError) as error:
                raise _closed(error) from error
            while views and count >= len(views[0]):
                count -= len(views.pop(0))
            if views:
                views[0] = views[0][count:]
                if time.monotonic() > limit:
                    raise LinkStalled(TOOK_TOO_LITTLE.fill(seconds=f"{within_s:g}"))

    def ignore_cancel(self) -> None:
        """From now on only time limits end a wait; for an orderly end after a cancellation."""
        self._cancel = CancelToken()

    def close(self) -> None:
        """Close the connection without a shutdown; never raises."""
        try:
            self._sock.close()
        except OSError:  # a reset that no one saw yet; the descriptor is gone either way
            return

    def _use_plain(self) -> None:
        sock = self._sock
        if not _KERNEL_TIMEOUTS:
            sock.settimeout(SLICE_S)
            self._receive = sock.recv_into
            return
        sock.settimeout(None)
        kernel_slice = struct.pack("@ll", int(SLICE_S), int(SLICE_S % 1 * 1_000_000))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, kernel_slice)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, kernel_slice)
        recv_into, whole = sock.recv_into, socket.MSG_WAITALL
        self._receive = lambda view: recv_into(view, 0, whole)

    def _pause(self, limit: float) -> None:
        """Look up between two slices of a wait."""
        self._cancel.check()
        if time.monotonic() >= limit:
            raise LinkStalled(SILENT)


def _shook_hands(tls: ssl.SSLSocket) -> bool:
    """Go on with a handshake for one slice, and return whether it is done."""
    try:
        tls.do_handshake()
    except TimeoutError:
        return False
    return True


def _closed(error: Exception) -> LinkClosed:
    return LinkClosed(CONNECTION_BROKE_FOR.fill(reason=reason_of(error)))


def _connect(sock: socket.socket, address: tuple[object, ...], limit: float, cancel: CancelToken) -> None:
    """Connect in slices.

    Raises:
        OSError: it failed, or the time is over.
        TaskCancelled: cancelled meanwhile.
    """
    sock.settimeout(0)
    try:
        sock.connect(address)
        return
    except BlockingIOError:
        pass  # it goes on in the background
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE)
        while not selector.select(SLICE_S):
            cancel.check()
            if time.monotonic() > limit:
                raise TimeoutError("timed out")
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise error_of_code(code)
