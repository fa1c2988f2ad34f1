"""Someone on the path between console and host, who can break, drop or answer connections but has no key."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from app.core.connections import end_connection
from tests.support.listening import listening
from tests.support.nfc_lab import LabCertificate

_HELLO = b"\x16\x03"
"""How a TLS record of the handshake begins."""


class Path:
    """One connection of a client, and the one to the host behind it. Thread: its own."""

    def __init__(self, client: socket.socket, host: tuple[str, int]) -> None:
        self.client = client
        self.host = socket.create_connection(host, timeout=5)
        self.client.settimeout(5)
        self.seen = b""
        """What the client said, as far as it was passed on."""

    def pass_on(self, stop: Callable[[bytes], bool] = lambda _: False) -> None:
        """Let both talk until one ends, or until ``stop`` says so of what the client has said so far."""
        with self.host:
            answering = threading.Thread(target=self._pump_back)
            answering.start()
            with suppress(OSError):
                while data := self.client.recv(65536):
                    self.seen += data
                    if stop(self.seen):
                        break
                    self.host.sendall(data)
            for end in (self.client, self.host):
                end_connection(end)
            answering.join(5)

    def _pump_back(self) -> None:
        with suppress(OSError):
            while data := self.host.recv(65536):
                self.client.sendall(data)
        end_connection(self.client)


Deed = Callable[[Path, int], None]
"""What is done to a connection; the number counts them from 1."""


def passes(path: Path, _number: int) -> None:
    """Do nothing."""
    path.pass_on()


def breaks_every_handshake(path: Path, _number: int) -> None:
    """End the connection when TLS begins."""
    path.pass_on(lambda seen: _HELLO in seen)


def breaks_the_second_handshake(path: Path, _number: int) -> None:
    """Let the ticket through, and end the connection when the data itself should be encrypted."""
    path.pass_on(lambda seen: seen.count(b"\x16\x03\x01") >= 2)


def breaks_the_first_connections(path: Path, number: int) -> None:
    """Break encrypted connections until the console gives up on them, then let everything through."""
    (breaks_every_handshake if number <= 2 else passes)(path, number)


def refuses_first(path: Path, number: int) -> None:
    """Say in the host's name that there is no service, and later let everything through."""
    if number > 2:
        path.pass_on()
        return
    path.host.close()
    path.client.sendall(b"503 Service unavailable\r\n")


def strips_the_banner(path: Path, number: int) -> None:
    """Say that TLS is not needed."""
    path.host.close()
    path.client.sendall(b"220 VMware Authentication Daemon Version 1.10: PlainText allowed\r\n")
    with suppress(OSError):
        path.client.recv(65536)


def shows_another_certificate(path: Path, _number: int) -> None:
    """Answer as the host would, with a certificate of one's own."""
    path.host.close()
    with suppress(OSError):
        path.client.sendall(b"220 VMware Authentication Daemon Version 1.10: SSL Required\r\n")
        tls = LabCertificate().server_context().wrap_socket(path.client, server_side=True)
        with tls, suppress(ssl.SSLError):
            tls.recv(65536)


@contextmanager
def intruder(host: tuple[str, int], deed: Deed) -> Iterator[int]:
    """Stand before a host; yields the port where clients find it."""

    def serve(client: socket.socket, number: int) -> None:
        path = Path(client, host)
        try:
            deed(path, number)
        finally:
            path.host.close()

    with listening(serve) as port:
        yield port
