"""A mail server on this machine that keeps what it is sent: SMTP with STARTTLS or TLS and AUTH PLAIN/LOGIN."""

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

from app.simulator.tls import TlsIdentity


@dataclass
class Kept:
    """One mail as it came."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    user: str
    was_encrypted: bool


@dataclass
class MailServer:
    """What the server does and what it got.

    Attributes:
        refuse_recipients: Addresses that get 550.
        busy_times: How many sessions are still answered with 421.
    """

    identity: TlsIdentity
    implicit_tls: bool = False
    user: str = "alerts"
    password: str = "pässwört"
    kept: list[Kept] = field(default_factory=list)
    refuse_recipients: set[str] = field(default_factory=set)
    busy_times: int = 0
    port: int = 0

    def trust(self) -> ssl.SSLContext:
        """Trust this server."""
        return ssl.create_default_context(cafile=str(self.identity.certificate_file))


class _Session(socketserver.StreamRequestHandler):
    server: "_Server"

    def setup(self) -> None:
        if self.server.mail.implicit_tls:
            self.request = self.server.mail.identity.context.wrap_socket(self.request, server_side=True)
        self.is_encrypted = self.server.mail.implicit_tls
        self.user = ""
        self.sender, self.recipients = "", list[str]()
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def handle(self) -> None:
        mail = self.server.mail
        if mail.busy_times:
            mail.busy_times -= 1
            self._say("421 too busy")
            return
        self._say("220 test server")
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            verb, _, rest = line.partition(" ")
            if verb.upper() == "QUIT":
                self._say("221 bye")
                return
            handler = getattr(self, f"_on_{verb.lower()}", None)
            if handler is None:
                self._say("502 unknown")
            else:
                handler(rest)

    def _say(self, *lines: str) -> None:
        for line in lines:
            self.wfile.write(line.encode() + b"\r\n")

    def _on_ehlo(self, _: str) -> None:
        extra = ["AUTH PLAIN LOGIN"] if self.is_encrypted else ["STARTTLS"]
        self._say("250-localhost", *(f"250-{capability}" for capability in extra), "250 SMTPUTF8")

    def _on_starttls(self, _: str) -> None:
        self._say("220 go on")
        self.request = self.server.mail.identity.context.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)
        self.is_encrypted = True

    def _on_auth(self, rest: str) -> None:
        kind, _, given = rest.partition(" ")
        mail = self.server.mail
        if kind == "PLAIN":
            _, user, password = base64.b64decode(given).decode().split("\0")
            is_right = (user, password) == (mail.user, mail.password)
            self.user = user if is_right else ""
            self._say("235 welcome" if is_right else "535 wrong")
        else:
            self._say("504 only PLAIN")

    def _on_mail(self, rest: str) -> None:
        self.sender = rest.partition(":")[2].partition(" ")[0].strip("<>")
        self.recipients = []
        self._say("250 fine")

    def _on_rcpt(self, rest: str) -> None:
        address = rest.partition(":")[2].partition(" ")[0].strip("<>")
        if address in self.server.mail.refuse_recipients:
            self._say("550 no such user")
            return
        self.recipients.append(address)
        self._say("250 fine")

    def _on_rset(self, _: str) -> None:
        self._say("250 fine")

    def _on_data(self, _: str) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b"..") else line)
        message = BytesParser(policy=default).parsebytes(b"".join(lines))
        mail = self.server.mail
        mail.kept.append(Kept(self.sender, self.recipients, message, self.user, self.is_encrypted))
        self._say("250 kept")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False
    mail: MailServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that does not trust the certificate ends the session in the middle."""


@contextmanager
def mail_server(folder: Path, *, implicit_tls: bool = False) -> Iterator[MailServer]:
    """Run a mail server."""
    mail = MailServer(TlsIdentity(folder, "localhost"), implicit_tls=implicit_tls)
    with _Server(("127.0.0.1", 0), _Session) as server:
        server.mail = mail
        mail.port = server.server_address[1]
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02))
        thread.start()
        try:
            yield mail
        finally:
            server.shutdown()
            thread.join()
