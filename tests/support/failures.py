"""Failures as systems, networks and platforms raise them, and what the product makes of them."""

import errno
import http.client
import http.server
import os
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyVmomi import vim, vmodl

from app.core.cancel import CancelToken
from app.domain.errors import OperationalError, SnapshotFailed, StandbyUnavailable, VmCreationFailed
from app.domain.reasons import http_reason, reason_of
from app.domain.states import TransportMode
from app.domain.words import Done
from app.engine.export.errors import ExportFailed
from app.engine.history.errors import LogNotWritten
from app.engine.notify.errors import SinkFailed, SinkRefused
from app.repository.files import storage_error
from app.simulator.tls import TlsIdentity
from app.transport.attempt import Attempt as DiskAttempt
from app.transport.errors import (
    FileForbidden,
    HandshakeFailed,
    HostRefusal,
    LinkFailure,
    MalformedAnswer,
    PortBlocked,
    ProtocolViolated,
)
from app.transport.http_range import UnexpectedStatus
from app.transport.link import Link
from app.vsphere.answers import AnswerUnusable
from app.vsphere.faults import Attempt, error_reason, translate
from app.vsphere.words import Operation

Make = Callable[[], OperationalError]
_FOREIGN = ("Cannot complete the operation.", "An error occurred while communicating.", "Quota exceeded for user")
_WINDOWS = (2, 3, 5, 32, 33, 53, 64, 67, 112, 121, 1326, 10013, 10049, 10054, 10060, 10061, 11001, 11004, 19999)
_FAULTS = (
    vim.fault.TaskInProgress,
    vim.fault.ConcurrentAccess,
    vmodl.fault.HostCommunication,
    vmodl.fault.HostNotConnected,
    vim.fault.FileLocked,
    vim.fault.NoDiskSpace,
    vim.fault.InvalidLogin,
    vim.fault.NotAuthenticated,
    vim.fault.NoPermission,
    vim.fault.RestrictedVersion,
    vim.fault.DuplicateName,
    vim.fault.InvalidPowerState,
    vim.fault.GenericVmConfigFault,
    vim.fault.ToolsUnavailable,
    vim.fault.AlreadyExists,
    vmodl.fault.SystemError,
    vmodl.fault.NotSupported,
    vmodl.fault.ManagedObjectNotFound,
    vmodl.fault.InvalidArgument,
)


class _WindowsError(OSError):
    def __init__(self, number: int) -> None:
        super().__init__(22, f"Windows Error 0x{number:x}")
        self.winerror = number


class Failures:
    """Makes failures by chance. A context manager: real servers stand behind those of the network."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._chance = random.Random(seed)
        self._identity = TlsIdentity(folder, "host")
        self._other = TlsIdentity(folder, "other")

    @contextmanager
    def servers(self) -> Iterator[None]:
        """Run the web server and the TLS servers."""
        with (
            _web_server() as self._web,
            _tls_server(self._identity.context) as self._tls,
            _silent_server() as mute,
        ):
            self._mute = mute
            yield

    def some(self, count: int) -> Iterator[OperationalError]:
        """Yield failures as the product reports them."""
        kinds: tuple[Make, ...] = (self._of_system, self._of_tls, self._of_http, self._of_platform, self._of_host)
        for number in range(count):
            yield kinds[number % len(kinds)]()

    # --- the system ----------------------------------------------------------------------------------------------

    def _system_error(self) -> OSError:
        if self._chance.random() < 0.3:
            return _WindowsError(self._chance.choice(_WINDOWS))
        number = self._chance.choice(sorted(errno.errorcode))
        return OSError(number, os.strerror(number), "/tmp/x")

    def _of_system(self) -> OperationalError:
        error = self._system_error()
        return self._chance.choice(
            (
                lambda: storage_error(error, Path("/备份")),
                lambda: StandbyUnavailable(path="/备份", detail=reason_of(error)),
                lambda: ExportFailed(file="/导出", detail=reason_of(error)),
                lambda: LogNotWritten(path="/日志", detail=reason_of(error)),
                lambda: translate(error, self._attempt()),
            )
        )()

    # --- TLS ---------------------------------------------------------------------------------------------------

    def _of_tls(self) -> OperationalError:
        port = self._chance.choice((self._web, self._tls, self._tls, self._mute))
        context = ssl.create_default_context(cafile=str(self._other.certificate_file))
        choice = self._chance.randrange(4)
        if choice == 1:
            context = ssl.create_default_context(cafile=str(self._identity.certificate_file))
        elif choice == 2:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
        if choice == 3:
            return self._over_link(port)
        try:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
                context.wrap_socket(plain, server_hostname="elsewhere.example"),
            ):
                raise AssertionError("the handshake should not work")
        except OSError as error:
            if self._chance.random() < 0.5:
                return translate(error, self._attempt())
            return SinkRefused(target="邮件", detail=reason_of(error))

    def _over_link(self, port: int) -> OperationalError:
        link = Link.connect("127.0.0.1", self._web, timeout_s=5, cancel=CancelToken())
        try:
            link.start_tls(pinned=True, timeout_s=5)
        except LinkFailure as failure:
            return self._disk().error(HandshakeFailed, detail=failure)
        finally:
            link.close()
        raise AssertionError(f"a web server at {port} speaks no TLS")

    # --- HTTP ----------------------------------------------------------------------------------------------------

    def _of_http(self) -> OperationalError:
        wanted = self._chance.choice((301, 400, 401, 403, 404, 405, 407, 413, 416, 418, 429, 500, 502, 503, 599))
        connection = http.client.HTTPConnection("127.0.0.1", self._web, timeout=5)
        try:
            connection.request("GET", f"/{wanted}")
            answer = connection.getresponse()
            status, words = answer.status, answer.reason
        finally:
            connection.close()
        return self._chance.choice(
            (
                lambda: SinkFailed(target="网址", detail=http_reason(status, words)),
                lambda: self._disk().error(FileForbidden, detail=UnexpectedStatus(status, words)),
            )
        )()

    # --- platform and hosts --------------------------------------------------------------------------------------

    def _of_platform(self) -> OperationalError:
        fault = self._chance.choice(_FAULTS)(msg=self._chance.choice(_FOREIGN))
        return self._chance.choice(
            (
                lambda: translate(fault, self._attempt()),
                lambda: SnapshotFailed(vm="虚机", operation=Done.CREATED, detail=error_reason(fault)),
                lambda: VmCreationFailed(vm="虚机", detail=error_reason(fault)),
                lambda: translate(AnswerUnusable("the answer is nested deeper than 9 elements"), self._attempt()),
            )
        )()

    def _of_host(self) -> OperationalError:
        refusal = HostRefusal("OPEN_FILE", self._chance.randrange(256), self._chance.choice(_FOREIGN))
        return self._chance.choice(
            (
                lambda: self._disk().failed(refusal),
                lambda: self._disk().error(ProtocolViolated, detail=MalformedAnswer("a frame of 3 bytes")),
                lambda: self._disk().error(PortBlocked, host="主机", port=902, detail=self._unreachable()),
            )
        )()

    def _unreachable(self) -> LinkFailure:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        try:
            Link.connect("127.0.0.1", port, timeout_s=5, cancel=CancelToken()).close()
        except LinkFailure as failure:
            return failure
        raise AssertionError("nothing listens there")

    def _attempt(self) -> Attempt:
        return Attempt(address="平台", user="用户", operation=self._chance.choice(list(Operation)), target="虚机")

    def _disk(self) -> DiskAttempt:
        return DiskAttempt(path="[存储] 虚机", mode=TransportMode.NFC, operation=self._chance.choice(list(Done)))


@contextmanager
def _web_server() -> Iterator[int]:
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(self.path.strip("/")), "Some words of the server")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, name="web")
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _served(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        is_over = threading.Event()

        def serve() -> None:
            while not is_over.is_set():
                with suppress(OSError):
                    connection, _ = listening.accept()
                    with connection, suppress(OSError):
                        connection.settimeout(5)
                        answer(connection)

        thread = threading.Thread(target=serve, name="tls")
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            is_over.set()
            thread.join()


@contextmanager
def _tls_server(context: ssl.SSLContext) -> Iterator[int]:
    def shake(connection: socket.socket) -> None:
        context.wrap_socket(connection, server_side=True).close()

    with _served(shake) as port:
        yield port


@contextmanager
def _silent_server() -> Iterator[int]:
    def listen(connection: socket.socket) -> None:
        connection.recv(1)

    with _served(listen) as port:
        yield port
