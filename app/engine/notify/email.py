"""Notifications by e-mail."""

import base64
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from app.core.boundedcalls import BoundedCalls
from app.domain.addresses import BadAddress, ascii_host, with_port
from app.domain.notifications import EmailSettings, MailSecurity
from app.domain.reasons import reason_of
from app.engine.notify.channel import LIMIT_S, Channel, MeteredReader, delivered
from app.engine.notify.errors import SinkFailed, SinkRefused
from app.engine.notify.notice import Notice
from app.engine.notify.reasons import (
    ACCOUNT_REFUSED,
    ADDRESS,
    ENDED,
    NOT_SUPPORTED,
    RECIPIENTS_REFUSED,
    answer_reason,
)
from app.engine.notify.sinks import Trust

_LONGEST_SUBJECT = 200
_AUTHENTICATED = 235
_PERMANENT = 500


class EmailSink:
    """Sends e-mails over one short session each. Thread: one at a time."""

    def __init__(
        self,
        settings: EmailSettings,
        password: str | None,
        trust: Trust,
        *,
        calls: BoundedCalls | None = None,
        limit_s: float = LIMIT_S,
    ) -> None:
        """Know the server; nothing is sent yet.

        Args:
            settings: say where it is and who gets what.
            password: of the account.
            trust: decides whether the server is the right one.
            calls: carries deliveries out; None makes new ones.
            limit_s: how long a delivery may take altogether.
        """
        self._settings = settings
        self._password = password
        self._trust = trust
        self._calls = calls or BoundedCalls("email")
        self._limit_s = limit_s

    def send(self, notice: Notice) -> None:
        """Send one e-mail to all recipients.

        Raises:
            SinkFailed: the server cannot be reached or cannot take it now.
            SinkRefused: the certificate, the account or every recipient was refused.
        """
        with self._our_errors():
            delivered(self._calls, self._limit_s, lambda channel: self._deliver(channel, notice))

    def _deliver(self, channel: Channel, notice: Notice) -> None:
        with self._session(channel) as session:
            if self._settings.user:
                self._log_in(session)
            sender, *recipients = map(_wire_address, (self._settings.sender, *self._settings.recipients))
            session.send_message(self._message(notice, sender, recipients), sender, recipients)

    def _session(self, channel: Channel) -> smtplib.SMTP:
        settings = self._settings
        context = self._trust() if settings.security is MailSecurity.TLS else None
        session = _Session(channel, context, ascii_host(settings.host), settings.port)
        if settings.security is MailSecurity.STARTTLS:
            try:
                session.starttls(context=self._trust())
            except BaseException:
                session.close()
                raise
        return session

    def _log_in(self, session: smtplib.SMTP) -> None:
        user, password = self._settings.user, self._password or ""
        if (user + password).isascii():
            session.login(user, password)
            return
        # smtplib's login knows ASCII only; PLAIN is UTF-8 (RFC 4616).
        session.ehlo_or_helo_if_needed()
        response = base64.b64encode(f"\0{user}\0{password}".encode()).decode("ascii")
        code, answer = session.docmd("AUTH", f"PLAIN {response}")
        if code != _AUTHENTICATED:
            raise smtplib.SMTPAuthenticationError(code, answer)

    def _message(self, notice: Notice, sender: str, recipients: list[str]) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["Subject"] = " ".join(notice.title.split())[:_LONGEST_SUBJECT]
        message["From"] = sender
        message["To"] = ", ".join(recipients)
        message["Date"] = format_datetime(notice.at)
        message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notice.text + "\n")
        return message

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        target = with_port(self._settings.host, self._settings.port)
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise SinkRefused(target=target, detail=reason_of(error)) from error
        except smtplib.SMTPAuthenticationError as error:
            raise SinkRefused(
                target=target, detail=ACCOUNT_REFUSED.fill(code=error.smtp_code, details=_reply(error))
            ) from error
        except smtplib.SMTPNotSupportedError as error:
            raise SinkRefused(target=target, detail=NOT_SUPPORTED.fill(details=str(error))) from error
        except smtplib.SMTPRecipientsRefused as error:
            refused = RECIPIENTS_REFUSED.fill(
                recipients=", ".join(sorted(error.recipients)), details=str(error.recipients)
            )
            raise _graded(max(code for code, _ in error.recipients.values()))(
                target=target, detail=refused
            ) from error
        except smtplib.SMTPResponseException as error:
            reason = answer_reason(error.smtp_code, _reply(error))
            raise _graded(error.smtp_code)(target=target, detail=reason) from error
        except BadAddress as error:
            raise SinkFailed(target=target, detail=ADDRESS.fill(reason=error)) from error
        except smtplib.SMTPServerDisconnected as error:
            # smtplib tells of what ended the connection by its context only
            why = error.__context__
            detail = reason_of(why) if isinstance(why, OSError) else ENDED.fill(details=str(error))
            raise SinkFailed(target=target, detail=detail) from error
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise SinkFailed(target=target, detail=reason_of(error)) from error


def _reply(error: smtplib.SMTPResponseException) -> str:
    said = error.smtp_error
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


class _Session(smtplib.SMTP):
    """A session over a channel; TLS from its first byte where a context is given."""

    def __init__(self, channel: Channel, context: ssl.SSLContext | None, host: str, port: int) -> None:
        self._channel = channel
        self._context = context
        super().__init__(host, port, local_hostname=_greeting_name())

    def _get_socket(self, host: str, port: int, _timeout: float | None) -> socket.socket:
        connection = self._channel.open(host, port)
        if self._context is None:
            return connection
        return self._context.wrap_socket(connection, server_hostname=host)

    def getreply(self) -> tuple[int, bytes]:
        """Get a reply of the server, which may not be endless.

        Raises:
            SMTPServerDisconnected: it ended, or said too much.
        """
        if self.file is None and self.sock is not None:
            self.file = MeteredReader(self.sock.makefile("rb"))
        return super().getreply()


def _greeting_name() -> str:
    """Return how this machine greets a mail server: by its name only where a mail server would take that."""
    with suppress(BadAddress):
        name = ascii_host(socket.gethostname())
        if "." in name:
            return name
    return "[127.0.0.1]"


def _wire_address(address: str) -> str:
    name, _, domain = address.rpartition("@")
    return f"{name}@{ascii_host(domain)}"


def _graded(code: int) -> type[SinkFailed] | type[SinkRefused]:
    """Return the error for a reply code; RFC 5321 4.2.1: 5yz is permanent."""
    return SinkRefused if code >= _PERMANENT else SinkFailed
