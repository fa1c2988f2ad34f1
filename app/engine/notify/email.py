"""Notifications by e-mail."""

import base64
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from app.domain.notifications import EmailSettings, MailSecurity
from app.engine.notify.errors import SinkFailed, SinkRefused
from app.engine.notify.notice import Notice
from app.engine.notify.sinks import Trust

TIMEOUT_S = 30.0
_LONGEST_SUBJECT = 200
_AUTHENTICATED = 235
_PERMANENT = 500


class EmailSink:
    """Sends e-mails over one short session each. Thread: one at a time."""

    def __init__(self, settings: EmailSettings, password: str | None, trust: Trust) -> None:
        self._settings = settings
        self._password = password
        self._trust = trust

    def send(self, notice: Notice) -> None:
        """Send one e-mail to all recipients.

        Raises:
            SinkFailed: the server cannot be reached or cannot take it now.
            SinkRefused: the certificate, the account or every recipient was refused.
        """
        with self._our_errors(), self._session() as session:
            if self._settings.user:
                self._log_in(session)
            session.send_message(self._message(notice))

    def _session(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.security is MailSecurity.TLS:
            return smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT_S, context=self._trust())
        session = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_S)
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

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["Subject"] = " ".join(notice.title.split())[:_LONGEST_SUBJECT]
        message["From"] = self._settings.sender
        message["To"] = ", ".join(self._settings.recipients)
        message["Date"] = format_datetime(notice.at)
        message["Message-ID"] = make_msgid(domain=self._settings.sender.rpartition("@")[2] or None)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notice.text + "\n")
        return message

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        target = f"{self._settings.host}:{self._settings.port}"
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            detail = f"its certificate is not trusted ({error.verify_message})"
            raise SinkRefused(target=target, detail=detail) from error
        except smtplib.SMTPAuthenticationError as error:
            raise SinkRefused(target=target, detail=f"the account was refused ({error.smtp_code})") from error
        except smtplib.SMTPNotSupportedError as error:
            raise SinkRefused(target=target, detail=f"it cannot do what is asked of it ({error})") from error
        except smtplib.SMTPRecipientsRefused as error:
            refused = ", ".join(sorted(error.recipients))
            raise _graded(max(code for code, _ in error.recipients.values()))(
                target=target, detail=f"the recipients {refused} were refused"
            ) from error
        except smtplib.SMTPResponseException as error:
            said = error.smtp_error
            words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
            raise _graded(error.smtp_code)(target=target, detail=f"{error.smtp_code} {words}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise SinkFailed(target=target, detail=str(error) or type(error).__name__) from error


def _graded(code: int) -> type[SinkFailed] | type[SinkRefused]:
    """Return the error for a reply code; RFC 5321 4.2.1: 5yz is permanent."""
    return SinkRefused if code >= _PERMANENT else SinkFailed
