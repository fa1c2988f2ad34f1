"""The NFC server: accepts connections on one port and gives each a thread."""

import logging
import socket
import threading
from dataclasses import dataclass
from random import Random
from typing import Self

from app.core.clock import Clock, SystemClock
from app.core.connections import end_connection
from app.simulator.listening import family_of
from app.simulator.nfc.abandoned import AbandonedSessions
from app.simulator.nfc.authd import Authd
from app.simulator.nfc.errors import ProtocolViolation
from app.simulator.nfc.ports import DiskResolver, NfcFaults, NfcTls, NoFaults
from app.simulator.nfc.profiles import ESXI_8_0, NfcProfile
from app.simulator.nfc.resources import BufferBudget
from app.simulator.nfc.session import NfcSession, NfcSurroundings
from app.simulator.nfc.streams import RESET_ON_CLOSE, ByteStream, ConnectionEnded, PlainStream, TlsStream
from app.simulator.nfc.tickets import TicketStore
from app.simulator.nfc.transfer import ConnectionCut, Interrupter

_log = logging.getLogger(__name__)

_BACKLOG = 64
_ACCEPT_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class NfcOptions:
    """How the server behaves."""

    service: str = "vpxa-nfc"
    """What tickets name: ``vpxa-nfc`` through vCenter, ``nfc`` on a bare ESXi."""
    profile: NfcProfile = ESXI_8_0
    """How hosts of a release speak."""
    offers_tls: bool = True
    """Whether the data may travel in TLS; False: the host refuses ``…ssl``."""
    abandoned_s: float = 0.0
    """How long a session that was not closed keeps its disks; half an hour on real hosts."""
    shuffle_seed: int | None = None
    """Not None: fragments of read answers come in a random order that follows from the seed."""


@dataclass(slots=True)
class _Connection:
    control: socket.socket
    vm_moid: str | None = None
    """Whose ticket was redeemed; None before that."""


class NfcServer:
    """authd and NFC on one port of 127.0.0.1.

    Thread: :meth:`start` and :meth:`stop` one at a time; it runs one thread that accepts and one per connection.

    Attributes:
        tls: certificate for the next connections; may be replaced at any time.
    """

    def __init__(
        self,
        resolver: DiskResolver,
        tickets: TicketStore,
        tls: NfcTls,
        *,
        faults: NfcFaults | None = None,
        options: NfcOptions | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.tls = tls
        self._resolver = resolver
        self._faults = faults or NoFaults()
        self._options = options or NfcOptions()
        chosen = self._options
        self._authd = Authd(tickets, chosen.service, chosen.profile, offers_tls=chosen.offers_tls)
        self._budget = BufferBudget(self._options.profile.memory_bytes)
        self._abandoned = AbandonedSessions(clock or SystemClock(), self._options.abandoned_s)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, _Connection] = {}
        self._accepted = 0
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port it listens on.

        Raises:
            RuntimeError: it is not started.
        """
        if self._listener is None:
            raise RuntimeError("the NFC server is not started")
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def accepted_connections(self) -> int:
        """How many connections were accepted since the start."""
        return self._accepted

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        with self._lock:
            return len(self._connections)

    def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen and accept.

        Args:
            port: 0 takes a free one.
            host: the address to listen at.

        Raises:
            OSError: the port is taken.
        """
        self._stopping.clear()
        self._listener = socket.create_server((host, port), family=family_of(host), backlog=_BACKLOG)
        self._acceptor = threading.Thread(
            target=self._accept, args=(self._listener,), name="nfc-accept", daemon=True
        )
        self._acceptor.start()

    def stop(self) -> None:
        """Cut every connection and wait for all threads; stopping twice is fine."""
        self._stopping.set()
        if self._listener is not None:
            end_connection(self._listener)
            self._listener.close()
        if self._acceptor is not None:
            self._acceptor.join()
        self.cut_connections()
        with self._lock:
            threads = list(self._connections)
        for thread in threads:
            thread.join()
        self._abandoned.close()
        self._listener = self._acceptor = None

    def cut_connections(self) -> None:
        """Cut every connection, as a rebooting host would."""
        with self._lock:
            for connection in self._connections.values():
                end_connection(connection.control)

    def end_sessions_of(self, vm_moid: str) -> None:
        """Cut the connections that have a VM's disks open, as a host does whose files go away."""
        with self._lock:
            for connection in self._connections.values():
                if connection.vm_moid == vm_moid:
                    end_connection(connection.control)

    def _stream(self, connection: socket.socket, *, is_secured: bool) -> ByteStream:
        if not is_secured:
            return PlainStream(connection)
        is_strict = self._options.profile.takes_one_message_a_record
        return TlsStream(connection, self.tls.context, takes_one_message_a_record=is_strict)

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:  # the listener was closed, the client gave up already, or descriptors ran out
                self._stopping.wait(_ACCEPT_PAUSE_S)
                continue
            control = connection.dup()
            thread = threading.Thread(
                target=self._serve, args=(connection, control, self._accepted), name="nfc-session", daemon=True
            )
            with self._lock:
                self._accepted += 1
                self._connections[thread] = _Connection(control)
            thread.start()

    def _serve(self, connection: socket.socket, control: socket.socket, number: int) -> None:
        stream: ByteStream | None = None
        interrupter = Interrupter(self._faults, self._stopping)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            admission = self._authd.admit(connection, self.tls)
            buffers = (
                control.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
                control.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF),
            )
            with self._lock:
                self._connections[threading.current_thread()].vm_moid = admission.ticket.vm_moid
            stream = self._stream(connection, is_secured=admission.secured)
            seed = self._options.shuffle_seed
            surroundings = NfcSurroundings(
                ticket=admission.ticket,
                resolver=self._resolver,
                budget=self._budget,
                interrupter=interrupter,
                faults=self._faults,
                profile=self._options.profile,
                abandoned=self._abandoned,
                shuffle=None if seed is None else Random(seed + number),  # noqa: S311 - an order, not a secret
                socket_buffers=buffers,
            )
            NfcSession(stream, surroundings).run()
        except ConnectionCut:
            interrupter.finish_cut()
            control.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        except (ConnectionEnded, OSError) as error:
            _log.debug("NFC connection ended: %s", error)
        except ProtocolViolation as error:
            _log.warning("NFC client does not speak NFC: %s", error)
        except Exception:  # noqa: BLE001 - a bug in one session is logged and ends that session only
            _log.exception("NFC session failed")
        finally:
            (stream or connection).close()
            connection.close()
            control.close()
            with self._lock:
                self._connections.pop(threading.current_thread(), None)
