"""``notify …``: who is notified of failed tasks."""

from argparse import Namespace

from app.cli.ctl.screen import Screen
from app.cli.ctl.tasks import DONE
from app.contract.door import Door
from app.contract.notifications import NotificationRow, ReadNotifications, TestSink
from app.domain.addresses import with_port
from app.domain.notifications import EmailSettings, SinkKind, WebhookSettings


def show_notifications(door: Door, screen: Screen, _chosen: Namespace) -> int:
    """Show who is notified of what; never a password or a secret."""
    row = door.ask(ReadNotifications())
    screen.facts(_facts(row), row)
    return DONE


def test_notification(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Send a test notification with the settings that are kept."""
    door.execute(TestSink(sink=SinkKind(chosen.sink)))
    screen.facts([("Sent by", chosen.sink)], {"sent": chosen.sink})
    return DONE


def _facts(row: NotificationRow) -> list[tuple[str, object]]:
    settings = row.settings
    return [
        ("Desktop", "each failure" if settings.desktop else "off"),
        ("E-mail", _email(settings.email, has_password=row.has_email_password)),
        ("Webhook", _webhook(settings.webhook, is_signed=row.has_webhook_secret)),
        ("Daily digest at", f"{settings.digest_at:%H:%M}"),
    ]


def _email(email: EmailSettings, *, has_password: bool) -> str:
    if not email.enabled:
        return "off"
    login = f", as {email.user}{'' if has_password else ' without a password'}" if email.user else ""
    server = f"{with_port(email.host, email.port)} ({email.security.value}{login})"
    return f"{_often(email)} to {', '.join(email.recipients)} from {email.sender} through {server}"


def _webhook(webhook: WebhookSettings, *, is_signed: bool) -> str:
    if not webhook.enabled:
        return "off"
    return f"{_often(webhook)} to {webhook.url}, {'signed' if is_signed else 'not signed'}"


def _often(sink: EmailSettings | WebhookSettings) -> str:
    return sink.when.value.replace("_", " ")
