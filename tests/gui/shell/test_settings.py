import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.console.errors import AutostartRefused, SettingsNotSaved
from app.contract.errors import EngineAway
from app.contract.hooks import SetHooks
from app.contract.notifications import NotificationRow, ReadNotifications, SetNotifications, TestSink
from app.contract.reasons import LOST
from app.core.secrets import SecretStoreLocked
from app.domain.hooks import HookCommand, Hooks
from app.domain.limits import TaskLimits
from app.domain.notifications import NotificationSettings, SinkKind
from app.views.console import Console
from app.views.program import ProgramSettings
from app.views.settings.notifications import NotificationsCard
from app.views.settings.page import SettingsPage
from app.views.settings.sinks import EmailDialog, WebhookDialog
from app.views.style import Theme
from app.views.translation import Language, LanguageSwitch
from app.views.widgets.hooks import HooksDialog
from tests.gui.operator import settle
from tests.gui.shell.conftest import ProgramStub
from tests.support.scripted_door import ScriptedDoor


@pytest.fixture
def page(
    qtbot: QtBot, console: Console, calm_door: ScriptedDoor, program: ProgramStub, languages: LanguageSwitch
) -> SettingsPage:
    page = SettingsPage(console, languages, program)
    qtbot.addWidget(page)
    page.resize(1088, 720)
    page.show()
    page.open(())
    qtbot.waitUntil(lambda: page.limits.tasks.isEnabled() and page.notifications.desktop.isEnabled())
    return page


def test_limits_that_fit_are_saved(qtbot: QtBot, page: SettingsPage, program: ProgramStub) -> None:
    page.limits.tasks.setValue(4)
    page.limits.buffer.setValue(8)
    assert "4 × 8 MB = 32 MB" in page.limits.sum.text()
    QTest.mouseClick(page.limits.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: program.limits == TaskLimits(tasks=4, buffer_mb=8))
    qtbot.waitUntil(lambda: "in force" in page.limits.sum.text())
    assert not page.limits.save.isEnabled()


@pytest.mark.parametrize(
    ("tasks", "buffer", "words"),
    [
        (0, 4, "with 0 nothing would run"),
        (8, 0, "with 0 nothing would run"),
        (33, 1, "33 × 1 MB = 33 MB is more than the 32 MB"),
        (65, 4, "65 × 4 MB = 260 MB is more"),
    ],
)
def test_limits_that_do_not_fit(page: SettingsPage, tasks: int, buffer: int, words: str) -> None:
    for spin, number in ((page.limits.tasks, tasks), (page.limits.buffer, buffer)):
        spin.setFocus()
        spin.selectAll()
        QTest.keyClicks(spin, str(number))
    assert words in page.limits.sum.text()
    assert not page.limits.save.isEnabled()
    assert page.limits.limits == TaskLimits(tasks=tasks, buffer_mb=buffer)


def test_limits_over_32_are_refused_with_their_sum(page: SettingsPage) -> None:
    page.limits.tasks.setValue(9)
    assert page.limits.sum.text().startswith("9 × 4 MB = 36 MB is more than the 32 MB")
    assert not page.limits.save.isEnabled()


def test_limits_that_cannot_be_written_stay_in_the_fields(
    qtbot: QtBot, page: SettingsPage, program: ProgramStub
) -> None:
    program.refusal = SettingsNotSaved(path="/etc/system.conf", detail="read-only")
    page.limits.tasks.setValue(2)
    QTest.mouseClick(page.limits.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.limits.banner.isVisible)
    assert page.limits.tasks.value() == 2
    assert page.limits.save.isEnabled()


def test_that_limits_cannot_be_read_is_said_until_they_are_read_also_while_they_are_edited(
    qtbot: QtBot, page: SettingsPage, program: ProgramStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> ProgramSettings:
        raise SettingsNotSaved(path="/etc/system.conf", detail="it cannot be read")

    page.limits.tasks.setValue(2)
    with monkeypatch.context() as patch:
        patch.setattr(program, "settings", unreadable)
        page.refresh()
        qtbot.waitUntil(page.limits.banner.isVisible)
    page.refresh()
    qtbot.waitUntil(lambda: not page.limits.banner.isVisible())
    assert page.limits.tasks.value() == 2


def test_starting_with_the_system_is_a_click(qtbot: QtBot, page: SettingsPage, program: ProgramStub) -> None:
    page.general.autostart.click()
    qtbot.waitUntil(lambda: program.autostart)
    qtbot.waitUntil(page.general.autostart.isEnabled)
    program.refusal = AutostartRefused(detail="no")
    page.general.autostart.click()
    qtbot.waitUntil(page.general.banner.isVisible)
    assert page.general.autostart.isChecked(), "what could not be changed is shown as it is"


def test_theme_and_language_change_at_once(
    page: SettingsPage, console: Console, languages: LanguageSwitch
) -> None:
    page.general.theme.setCurrentIndex(2)
    page.general.theme.activated.emit(2)
    assert console.theme.theme is Theme.DARK
    page.general.language.setCurrentIndex(1)
    page.general.language.activated.emit(1)
    assert languages.language is Language.CHINESE


def test_desktop_notifications_are_switched_and_tested(
    qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(SetNotifications, None)
    calm_door.answer(TestSink, None)
    page.notifications.desktop.click()
    page.notifications.test_button.click()
    qtbot.waitUntil(lambda: len(calm_door.executed) == 2)
    by_type = {type(command): command for command in calm_door.executed}
    changed, tested = by_type[SetNotifications], by_type[TestSink]
    assert isinstance(changed, SetNotifications)
    assert changed.settings.desktop is False
    assert isinstance(tested, TestSink)
    assert tested.sink is SinkKind.DESKTOP


def fail_to_save(qtbot: QtBot, console: Console, card: NotificationsCard, door: ScriptedDoor) -> None:
    """Let the engine refuse another setting, until the card says why."""
    door.answer(SetNotifications, SecretStoreLocked(seconds=30))
    card.desktop.click()
    qtbot.waitUntil(card.banner.isVisible)
    settle(qtbot, console)


def test_why_saving_failed_stays_until_the_operator_acts_again(
    qtbot: QtBot, console: Console, page: SettingsPage, calm_door: ScriptedDoor
) -> None:
    card = page.notifications
    fail_to_save(qtbot, console, card, calm_door)
    assert "locked" in card.banner.title
    assert card.desktop.isChecked(), "what could not be changed is shown as it is"
    page.refresh()
    settle(qtbot, console)
    assert card.banner.isVisible()
    calm_door.answer(SetNotifications, None)
    card.desktop.click()
    assert not card.banner.isVisible()
    settle(qtbot, console)
    assert not card.banner.isVisible()


def test_a_dialog_that_saves_ends_what_was_said_of_a_failure(
    qtbot: QtBot, console: Console, page: SettingsPage, calm_door: ScriptedDoor
) -> None:
    card = page.notifications
    fail_to_save(qtbot, console, card, calm_door)
    calm_door.answer(SetNotifications, None)
    card.webhook.click()
    dialog = card.findChild(WebhookDialog)
    assert isinstance(dialog, WebhookDialog)
    dialog.accept()
    qtbot.waitUntil(lambda: not card.banner.isVisible())
    settle(qtbot, console)


def test_settings_that_cannot_be_read_do_not_hide_why_a_test_failed(
    qtbot: QtBot, console: Console, page: SettingsPage, calm_door: ScriptedDoor
) -> None:
    card = page.notifications
    calm_door.answer(TestSink, SecretStoreLocked(seconds=30))
    card.test_button.click()
    qtbot.waitUntil(card.banner.isVisible)
    known = card.banner.title
    calm_door.answer(ReadNotifications, EngineAway(detail=LOST))
    page.refresh()
    settle(qtbot, console)
    assert card.banner.title == known


def test_that_settings_cannot_be_read_is_said_until_they_are_read(
    qtbot: QtBot, console: Console, page: SettingsPage, calm_door: ScriptedDoor
) -> None:
    row = NotificationRow(settings=NotificationSettings(), has_email_password=False, has_webhook_secret=False)
    calm_door.answer(ReadNotifications, EngineAway(detail=LOST))
    page.refresh()
    qtbot.waitUntil(page.notifications.banner.isVisible)
    calm_door.answer(ReadNotifications, row)
    page.refresh()
    settle(qtbot, console)
    assert not page.notifications.banner.isVisible()


def test_email_is_set_up_with_problems_below_the_fields(
    qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(SetNotifications, None)
    page.notifications.email.click()
    dialog = page.notifications.findChild(EmailDialog)
    assert isinstance(dialog, EmailDialog)
    dialog.enabled.setChecked(True)
    dialog.accept()
    assert dialog.fields()["email.host"].problem == "Type the mail server's address, without blanks."
    assert calm_door.executed == []
    QTest.keyClicks(dialog.host, "mail.example.com")
    QTest.keyClicks(dialog.sender_address, "standfast@example.com")
    QTest.keyClicks(dialog.recipients, "ops@example.com, boss@example.com")
    QTest.keyClicks(dialog.secret, "geheim")
    dialog.accept()
    qtbot.waitUntil(lambda: len(calm_door.executed) == 1)
    (command,) = calm_door.executed
    assert isinstance(command, SetNotifications)
    assert command.settings.email.recipients == ("ops@example.com", "boss@example.com")
    assert command.email_password == "geheim"
    assert command.webhook_secret is None
    qtbot.waitUntil(lambda: page.notifications.findChild(EmailDialog) is None)


def test_a_webhook_is_tested_before_it_is_saved(qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor) -> None:
    calm_door.answer(TestSink, None)
    page.notifications.webhook.click()
    dialog = page.notifications.findChild(WebhookDialog)
    assert isinstance(dialog, WebhookDialog)
    QTest.keyClicks(dialog.url, "ftp://example.com")
    dialog.test_button.click()
    assert "https://" in dialog.fields()["webhook.url"].problem
    dialog.url.setText("https://example.com/hook")
    dialog.test_button.click()
    qtbot.waitUntil(lambda: len(calm_door.executed) == 1)
    (command,) = calm_door.executed
    assert isinstance(command, TestSink)
    assert command.settings is not None
    assert command.settings.webhook.url == "https://example.com/hook"
    dialog.reject()


def test_the_commands_around_a_backup_are_on_the_page(
    qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor
) -> None:
    qtbot.waitUntil(page.hooks.change.isEnabled)
    calm_door.answer(SetHooks, None)
    page.hooks.change.click()
    dialog = page.hooks.findChild(HooksDialog)
    assert isinstance(dialog, HooksDialog)
    QTest.keyClicks(dialog.after.program, "tell-monitoring")
    QTest.keyClick(dialog.after.program, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(calm_door.executed))
    after = HookCommand(arguments=("tell-monitoring",))
    assert calm_door.executed == [SetHooks(hooks=Hooks(after=after))]
    qtbot.waitUntil(lambda: page.hooks.findChild(HooksDialog) is None)
