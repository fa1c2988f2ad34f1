"""debugctl, hooks and notifications, with the real desk of hooks behind the door."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.cli.demo.stage import folders_in
from app.contract.hooks import ReadHooks, SetHooks
from app.contract.notifications import NotificationRow, ReadNotifications, TestSink
from app.contract.rules import ListRules
from app.domain.hooks import AllHooks, HookCommand, Hooks
from app.domain.ids import RuleId
from app.domain.notifications import EmailSettings, NotificationSettings, SinkKind, WebhookSettings, WhenToNotify
from app.engine.door.server import DoorServer
from app.engine.handlers import handler_table
from app.engine.hooks.handlers import HookHandlers
from app.engine.notify.errors import SinkFailed
from tests.support.scripted_door import ScriptedDoor
from tests.unit.cli.test_ctl import Ctl, rule

WEB = RuleId("r1")


class _Settings(dict[str, str]):
    def put(self, key: str, value: str) -> None:
        self[key] = value


@pytest.fixture
def ctl(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Ctl]:
    folders = folders_in(tmp_path)
    folders.create()
    engine = ScriptedDoor()
    known: dict[RuleId, Any] = {WEB: SimpleNamespace(id=WEB)}
    rules: Any = SimpleNamespace(get=known.get, all=lambda: tuple(known.values()))
    store: Any = _Settings()
    for request, handler in handler_table([HookHandlers(store, rules)]).items():
        engine.answer(request, handler)
    engine.answer(ListRules, (rule(WEB, "web"), rule("r2", "databases")))
    with DoorServer.open(engine, folders.data):
        yield Ctl(engine, folders, capsys)


def book(ctl: Ctl) -> AllHooks:
    return ctl.engine.ask(ReadHooks())


# --- hooks -----------------------------------------------------------------------------------------------------


def test_a_common_command_is_set_with_all_that_belongs_to_it(ctl: Ctl) -> None:
    words = ["--time-limit", "12.5", "--retries", "2", "--no-veto", "--", "/opt/db freeze", "-o", "--", "a b", ""]
    status, out, err = ctl("hook", "set", "before", *words)
    assert (status, err) == (0, "")
    kept = HookCommand(
        arguments=("/opt/db freeze", "-o", "--", "a b", ""), time_limit_s=12.5, retries=2, veto=False
    )
    assert book(ctl) == AllHooks(common=Hooks(before=kept))
    assert out.splitlines() == [
        'before:            "/opt/db freeze" -o -- "a b" "" (at most 12.5 s, 2 retries, no veto)',
        "after:             -",
    ]


def test_the_other_command_stays_when_one_is_set(ctl: Ctl) -> None:
    ctl("hook", "set", "before", "freeze")
    ctl("hook", "set", "after", "--off", "thaw")
    common = book(ctl).common
    assert common.before == HookCommand(arguments=("freeze",))
    assert common.after == HookCommand(arguments=("thaw",), enabled=False)
    assert "thaw (at most 300 s, 0 retries, off)" in ctl("hook", "show")[1]


def test_a_rules_own_commands_begin_as_the_common_ones_and_go_back_to_them(ctl: Ctl) -> None:
    ctl("hook", "set", "after", "thaw")
    assert "the common ones" in ctl("hook", "show", "--rule", "web")[1]
    status, out, err = ctl("hook", "set", "before", "--rule", "web", "freeze-web")
    assert (status, "its own" in out, "web has commands of its own" in err) == (0, True, True)
    own = Hooks(before=HookCommand(arguments=("freeze-web",)), after=HookCommand(arguments=("thaw",)))
    assert book(ctl).rules == {WEB: own}
    assert "web, before:" in ctl("hook", "show")[1]
    assert ctl("hook", "clear", "--rule", "web")[0] == 0
    assert book(ctl).rules == {}


def test_one_command_is_cleared_and_then_both(ctl: Ctl) -> None:
    for phase in ("before", "after"):
        ctl("hook", "set", phase, phase)
    assert ctl("hook", "clear", "before")[0] == 0
    assert book(ctl).common == Hooks(after=HookCommand(arguments=("after",)))
    assert ctl("hook", "clear")[0] == 0
    assert book(ctl) == AllHooks()


def test_hooks_are_documents_for_programs(ctl: Ctl) -> None:
    status, out, _ = ctl("hook", "set", "before", "--json", "--", "freeze", "-f")
    assert (status, json.loads(out)["before"]["arguments"]) == (0, ["freeze", "-f"])
    assert json.loads(ctl("--json", "hook", "show")[1])["common"]["before"]["retries"] == 0
    of_rule = json.loads(ctl("hook", "show", "--rule", "web", "--json")[1])
    assert (of_rule["rule"], of_rule["is_own"]) == (WEB, False)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["before", "--time-limit", "0", "x"], 1),
        (["before", "--time-limit", "nan", "x"], 1),
        (["before", "--retries", "11", "x"], 1),
        (["before", " "], 1),
        (["before", "--rule", "nobody", "x"], 1),
        (["before"], 2),
        (["between", "x"], 2),
        (["before", "ssh", "-o", "BatchMode=yes"], 2),
    ],
)
def test_a_command_that_cannot_work_is_refused(ctl: Ctl, words: list[str], status: int) -> None:
    assert ctl("hook", "set", *words)[0] == status
    assert book(ctl) == AllHooks()


# --- notifications ---------------------------------------------------------------------------------------------


def test_notification_settings_are_shown_without_secrets(ctl: Ctl) -> None:
    email = EmailSettings(
        enabled=True, host="mail", user="ops", sender="s@x", recipients=("a@x", "b@x"), when=WhenToNotify.DAILY
    )
    webhook = WebhookSettings(enabled=True, url="https://x/hook")
    settings = NotificationSettings(desktop=False, email=email, webhook=webhook)
    row = NotificationRow(settings=settings, has_email_password=True, has_webhook_secret=True)
    ctl.engine.answer(ReadNotifications, row)
    status, out, _ = ctl("notify", "show")
    assert status == 0
    assert [line.split(":", 1)[1].strip() for line in out.splitlines()] == [
        "off",
        "daily to a@x, b@x from s@x through mail:587 (starttls, as ops)",
        "each failure to https://x/hook, signed",
        "08:00",
    ]
    assert json.loads(ctl("notify", "show", "--json")[1])["settings"]["email"]["when"] == "daily"


def test_a_test_is_sent_and_its_failure_reported(ctl: Ctl) -> None:
    ctl.engine.answer(TestSink, None)
    assert ctl("notify", "test", "webhook")[:2] == (0, "Sent by:           webhook\n")
    assert ctl.engine.executed == [TestSink(sink=SinkKind.WEBHOOK)]
    ctl.engine.answer(TestSink, SinkFailed(target="mail", detail="nobody answers"))
    status, out, err = ctl("notify", "test", "email")
    assert (status, out, "nobody answers" in err) == (1, "", True)
    assert ctl("notify", "test", "pigeon")[0] == 2


def test_nothing_else_is_executed_to_show_hooks(ctl: Ctl) -> None:
    ctl("hook", "show")
    assert not [command for command in ctl.engine.executed if isinstance(command, SetHooks)]
