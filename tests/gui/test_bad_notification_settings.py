"""Wrong settings of notifications are shown below their field, and nothing typed is lost."""

import pytest
from pytestqt.qtbot import QtBot

from app.contract.notifications import NotificationRow, SetNotifications
from app.domain.notifications import NotificationSettings
from app.views.console import Console
from app.views.settings.sinks import EmailDialog, WebhookDialog
from tests.gui.operator import field_of
from tests.gui.typed_input import assert_shown, press, type_into, type_number
from tests.support.scripted_door import ScriptedDoor

ROW = NotificationRow(settings=NotificationSettings(), has_email_password=False, has_webhook_secret=False)


@pytest.mark.parametrize(
    ("host", "port", "sender", "recipients", "field", "words"),
    [
        ("", 587, "a@b.c", "a@b.c", "email.host", "Type the mail server's address"),
        ("mail server", 587, "a@b.c", "a@b.c", "email.host", "without blanks"),
        ("mail", 0, "a@b.c", "a@b.c", "email.port", "from 1 to 65535"),
        ("mail", 70000, "a@b.c", "a@b.c", "email.port", "from 1 to 65535"),
        ("mail", 587, "nobody", "a@b.c", "email.sender", "Type an e-mail address."),
        ("mail", 587, "a@b.c", "", "email.recipients", "at least one"),
        ("mail", 587, "a@b.c", "a@b.c, nobody", "email.recipients", "at least one"),
        ("mail", 587, "a@b.c", ",".join(["a@b.c"] * 51), "email.recipients", "at most 50"),
    ],
)
def test_e_mail_settings(
    qtbot: QtBot,
    console: Console,
    door: ScriptedDoor,
    host: str,
    port: int,
    sender: str,
    recipients: str,
    field: str,
    words: str,
) -> None:
    dialog = EmailDialog(console, ROW, None)  # type: ignore[arg-type]
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.enabled.setChecked(True)
    for line, text in ((dialog.host, host), (dialog.sender_address, sender), (dialog.recipients, recipients)):
        type_into(line, text)
    type_number(dialog.port, port)
    press(dialog)
    assert_shown(dialog, dialog.fields()[field], words)
    assert (dialog.host.text(), dialog.port.value(), dialog.recipients.text()) == (host, port, recipients)
    assert door.executed == []
    dialog.enabled.setChecked(False)
    door.answer(SetNotifications, None)
    with qtbot.waitSignal(dialog.succeeded):
        press(dialog)


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "hooks.example.com", "https://", "https://u:p@x/", "https://x y/", "http://x:99999/"]
)
def test_a_webhooks_address(qtbot: QtBot, console: Console, door: ScriptedDoor, url: str) -> None:
    dialog = WebhookDialog(console, ROW, None)  # type: ignore[arg-type]
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.enabled.setChecked(True)
    type_into(dialog.url, url)
    press(dialog)
    assert_shown(dialog, field_of(dialog.url), "begins with https:// or http://")
    assert dialog.url.text() == url
    assert door.executed == []
