"""Who is notified of which failures, and when a digest is due: values and decisions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import Enum
from typing import Final

from app.domain.addresses import PORT_RANGE, BadAddress, ascii_host, is_port, web_address
from app.domain.messages import MessageKind
from app.domain.moments import believed

MAX_RECIPIENTS: Final = 50
DIGEST_EVERY: Final = timedelta(days=1)


class SinkKind(Enum):
    """Where a notification goes."""

    DESKTOP = "desktop"
    EMAIL = "email"
    WEBHOOK = "webhook"


class WhenToNotify(Enum):
    """When a sink sends: for each failure, or a digest once a day."""

    EACH_FAILURE = "each_failure"
    DAILY = "daily"  # one digest a day, also when nothing failed


class MailSecurity(Enum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"  # without a login only: a password is never sent in plain text


ZONED: Final = MessageKind("notify.zoned", "the time of the digest is a local time without a zone")
NO_SENDER: Final = MessageKind("notify.no_sender", "the sender is no e-mail address")
NO_RECIPIENT: Final = MessageKind("notify.no_recipient", "there is no recipient, or one is no e-mail address")
TOO_MANY_RECIPIENTS: Final = MessageKind("notify.too_many_recipients", "there are more than 50 recipients")
LOGIN_IN_PLAIN: Final = MessageKind(
    "notify.login_in_plain", "a login needs STARTTLS or TLS: a password is not sent in plain text"
)
NO_SERVER: Final = MessageKind("notify.no_server", "the name or IP address of a server is missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSettings:
    """Notifications by e-mail; the password is in the secret store."""

    enabled: bool = False
    when: WhenToNotify = WhenToNotify.EACH_FAILURE
    host: str = ""
    port: int = 587
    security: MailSecurity = MailSecurity.STARTTLS
    user: str = ""
    """Empty: the server is used without a login."""
    sender: str = ""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """Notifications as JSON by HTTP POST; the secret of the signature is in the secret store."""

    enabled: bool = False
    when: WhenToNotify = WhenToNotify.EACH_FAILURE
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSettings:
    """Who is notified, of what, and how."""

    desktop: bool = True
    """Failures raise a notification on the desktop."""
    email: EmailSettings = field(default_factory=EmailSettings)
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    digest_at: time = time(8, 0)
    """Local time of the daily digest."""

    def problems(self) -> tuple[tuple[str, MessageKind], ...]:
        """Return what is wrong, as field and reason; a sink that is off may be incomplete."""
        found: list[tuple[str, MessageKind]] = []
        if self.email.enabled:
            found.extend(_email_problems(self.email))
        if self.webhook.enabled:
            found.extend(_webhook_problems(self.webhook))
        if self.digest_at.tzinfo is not None:
            found.append(("digest_at", ZONED))
        return tuple(found)

    def wants(self, when: WhenToNotify) -> frozenset[SinkKind]:
        """Return the sinks that speak so."""
        found = {SinkKind.DESKTOP} if self.desktop and when is WhenToNotify.EACH_FAILURE else set()
        if self.email.enabled and self.email.when is when:
            found.add(SinkKind.EMAIL)
        if self.webhook.enabled and self.webhook.when is when:
            found.add(SinkKind.WEBHOOK)
        return frozenset(found)


def _email_problems(email: EmailSettings) -> Iterator[tuple[str, MessageKind]]:
    if problem := _host_problem(email.host):
        yield "email.host", problem
    if not is_port(email.port):
        yield "email.port", PORT_RANGE
    if not _is_address(email.sender):
        yield "email.sender", NO_SENDER
    if not email.recipients or not all(_is_address(recipient) for recipient in email.recipients):
        yield "email.recipients", NO_RECIPIENT
    if len(email.recipients) > MAX_RECIPIENTS:
        yield "email.recipients", TOO_MANY_RECIPIENTS
    if email.user and email.security is MailSecurity.NONE:
        yield "email.security", LOGIN_IN_PLAIN


def _is_address(text: str) -> bool:
    name, at, domain = text.rpartition("@")
    if not (name and at and domain) or not text.isprintable() or any(character in " ,;<>" for character in text):
        return False
    return not _host_problem(domain)


def _host_problem(host: str) -> MessageKind | None:
    if not host.strip():
        return NO_SERVER
    try:
        ascii_host(host)
    except BadAddress as error:
        return error.reason
    return None


def _webhook_problems(webhook: WebhookSettings) -> Iterator[tuple[str, MessageKind]]:
    try:
        web_address(webhook.url)
    except BadAddress as error:
        yield "webhook.url", error.reason


def newest_digest_moment(settings: NotificationSettings, now: datetime) -> datetime:
    """Return when the last daily digest was due.

    Args:
        settings: say at which local time.
        now: the present in the local zone.
    """
    due = now.replace(
        hour=settings.digest_at.hour, minute=settings.digest_at.minute, second=0, microsecond=0, fold=0
    )
    return due if due <= now else due - timedelta(days=1)


def is_digest_due(settings: NotificationSettings, last: datetime, now: datetime) -> bool:
    """Return whether a digest is due that was not sent yet.

    Args:
        settings: say whether and when.
        last: the moment up to which the last digest reports; one more than a day ahead says that it is not known.
        now: the present in the local zone.
    """
    if not settings.wants(WhenToNotify.DAILY):
        return False
    known = believed(last, now, DIGEST_EVERY)
    return known is None or known < newest_digest_moment(settings, now) <= now
