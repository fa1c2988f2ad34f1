"""Who is told what, when, and what happens when it does not arrive."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path

import pytest

from app.contract.notifications import ReadNotifications, SetNotifications, TestSink
from app.core.bus import EventBus
from app.core.clock import SystemClock
from app.domain.engine_events import NotificationRaised
from app.domain.errors import OperationalError
from app.domain.events import Event, TaskFailed
from app.domain.ids import TaskId, VmId
from app.domain.notifications import (
    EmailSettings,
    MailSecurity,
    NotificationSettings,
    SinkKind,
    WebhookSettings,
    WhenToNotify,
    is_digest_due,
)
from app.domain.states import TaskState
from app.engine.errors import RequestRefused
from app.engine.notify.errors import SinkRefused
from app.engine.notify.service import MAX_WAITING, Notifier
from app.engine.notify.settings import NotificationSettingsStore, Secrets
from app.engine.notify.sinks import system_trust
from tests.support.engine_lab import EngineLab, MemorySecrets, filled_vm
from tests.support.fakes import RecordingTaskLog
from tests.support.waiting import wait_until
from tests.support.webhook_server import WebhookServer, webhook_server

SHANGHAI = timezone(timedelta(hours=8))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EngineLab]:
    with EngineLab(tmp_path) as opened:
        yield opened


@pytest.fixture
def hook() -> Iterator[WebhookServer]:
    with webhook_server() as running:
        yield running


def to(
    hook: WebhookServer, when: WhenToNotify = WhenToNotify.EACH_FAILURE, **more: object
) -> NotificationSettings:
    settings = NotificationSettings(webhook=WebhookSettings(enabled=True, when=when, url=hook.url))
    return replace(settings, **more)  # type: ignore[arg-type]


class Outage:
    """A task that failed, as the catalog of a lab knows it."""

    def __init__(self, lab: EngineLab) -> None:
        vm = filled_vm(lab)
        lab.engine.ask(ReadNotifications())  # the engine of the lab keeps to the settings that it has now
        lab.host.faults.on_call = self._fail
        self.report = lab.finished(lab.start_backup(vm))
        lab.host.faults.on_call = None
        assert self.report.task.state is TaskState.FAILED
        assert self.report.task.error is not None

    def _fail(self, _call: str) -> None:
        raise OperationalError(detail="the lab is on fire")


def test_a_failed_task_is_told_on_the_desktop_and_by_webhook(lab: EngineLab, hook: WebhookServer) -> None:
    lab.engine.execute(SetNotifications(settings=to(hook), webhook_secret="s3cret"))
    outage = Outage(lab)
    (posted,) = wait_until(lambda: hook.posted, what="the message")
    assert posted.document["failures"][0]["task"] == outage.report.task.id
    assert "x-standfast-signature" in posted.headers
    raised = wait_until(
        lambda: [event for event in lab.events if isinstance(event, NotificationRaised)],
        what="the desktop's event",
    )
    assert [(event.vm_name, event.task) for event in raised] == [("web", outage.report.task.id)]
    assert "the lab is on fire" in raised[0].text


def test_a_task_that_completes_is_told_to_nobody(lab: EngineLab, hook: WebhookServer) -> None:
    lab.engine.execute(SetNotifications(settings=to(hook)))
    lab.backup(filled_vm(lab))
    outage = Outage(lab)
    wait_until(lambda: hook.posted, what="the message of the failure")
    assert [message.document["failures"][0]["task"] for message in hook.posted] == [outage.report.task.id]


def test_a_sink_that_is_away_never_fails_a_backup(lab: EngineLab, hook: WebhookServer) -> None:
    nowhere = WebhookSettings(enabled=True, url="http://127.0.0.1:1/")
    lab.engine.execute(SetNotifications(settings=NotificationSettings(webhook=nowhere)))
    Outage(lab)
    lab.backup(filled_vm(lab, name="db"))


def test_settings_survive_and_secrets_are_kept_elsewhere(tmp_path: Path, hook: WebhookServer) -> None:
    settings = to(hook, digest_at=time(6, 30), desktop=False)
    with EngineLab(tmp_path) as lab:
        lab.engine.execute(SetNotifications(settings=settings, webhook_secret="very secret"))
    assert b"very secret" not in (tmp_path / "catalog.db").read_bytes()
    with EngineLab(tmp_path) as lab:
        lab.secrets.set("notifications/webhook", "very secret")
        row = lab.engine.ask(ReadNotifications())
        assert row.settings == settings
        assert (row.has_webhook_secret, row.has_email_password) == (True, False)
        lab.engine.execute(SetNotifications(settings=settings))
        assert lab.engine.ask(ReadNotifications()).has_webhook_secret
        lab.engine.execute(SetNotifications(settings=settings, webhook_secret=""))
        assert not lab.engine.ask(ReadNotifications()).has_webhook_secret


def test_a_test_uses_a_draft_before_it_is_kept(lab: EngineLab, hook: WebhookServer) -> None:
    lab.engine.execute(TestSink(sink=SinkKind.WEBHOOK, settings=to(hook), webhook_secret="s"))
    assert hook.posted[0].document["event"] == "test"
    assert "x-standfast-signature" in hook.posted[0].headers
    hook.answers = [403]
    with pytest.raises(SinkRefused):
        lab.engine.execute(TestSink(sink=SinkKind.WEBHOOK, settings=to(hook)))
    lab.engine.execute(TestSink(sink=SinkKind.DESKTOP))
    assert any(isinstance(event, NotificationRaised) and event.task is None for event in lab.events)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (NotificationSettings(email=EmailSettings(enabled=True)), "email.host"),
        (NotificationSettings(webhook=WebhookSettings(enabled=True, url="ftp://x/")), "webhook.url"),
        (NotificationSettings(webhook=WebhookSettings(enabled=True, url="file:///etc/passwd")), "webhook.url"),
        (NotificationSettings(webhook=WebhookSettings(enabled=True, url="https://me:pw@x/")), "webhook.url"),
        (NotificationSettings(webhook=WebhookSettings(enabled=True, url="https://x:port/")), "webhook.url"),
        (
            NotificationSettings(
                email=EmailSettings(
                    enabled=True,
                    host="mail",
                    user="me",
                    security=MailSecurity.NONE,
                    sender="a@b.c",
                    recipients=("d@e.f",),
                )
            ),
            "email.security",
        ),
        (
            NotificationSettings(
                email=EmailSettings(enabled=True, host="mail", sender="a@b.c", recipients=("a@b.c\nBcc: x@y.z",))
            ),
            "email.recipients",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(
    lab: EngineLab, settings: NotificationSettings, problem: str
) -> None:
    with pytest.raises(RequestRefused, match=problem):
        lab.engine.execute(SetNotifications(settings=settings))
    assert lab.engine.ask(ReadNotifications()).settings == NotificationSettings()


def test_passwords_do_not_show() -> None:
    command = SetNotifications(settings=NotificationSettings(), email_password="pw-1", webhook_secret="pw-2")
    test = TestSink(sink=SinkKind.EMAIL, email_password="pw-1", webhook_secret="pw-2")
    assert "pw-" not in f"{command!r} {test!r} {Secrets('pw-1', 'pw-2')!r}"


# --- retries and bounds ------------------------------------------------------------------------------------------


class NotifierLab:
    """A notifier over the catalog of a lab, with pauses that do not wait."""

    def __init__(self, lab: EngineLab, settings: NotificationSettings, pauses_s: tuple[float, ...]) -> None:
        self.bus = EventBus()
        self.events: list[Event] = []
        self.bus.subscribe(self.events.append)
        self.log = RecordingTaskLog()
        self.settings = NotificationSettingsStore(lab.catalog.settings, MemorySecrets(), self.bus, system_trust)
        self.settings.change(settings, Secrets())
        self.notifier = Notifier(
            settings=self.settings,
            tasks=lab.catalog.tasks,
            bus=self.bus,
            clock=SystemClock(),
            log=self.log,
            retry_pauses_s=pauses_s,
            look_s=0.05,
            unproven=lambda: ("web (nightly)",),
        )

    def fail(self, task: TaskId) -> None:
        """Publish that a task failed."""
        now = datetime.now(UTC)
        self.bus.publish(TaskFailed(at=now, task=task, vm=VmId("v"), code="c", message="m", hint="h"))

    def __enter__(self) -> "NotifierLab":
        self.notifier.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.notifier.close()


def test_what_did_not_arrive_is_sent_again(lab: EngineLab, hook: WebhookServer) -> None:
    task = Outage(lab).report.task.id
    hook.answers = [503, 500]
    with NotifierLab(lab, to(hook, desktop=False), (0.01, 0.01, 0.01)) as notifying:
        notifying.fail(task)
        wait_until(lambda: len(hook.posted) == 3, what="the third try")
    assert notifying.log.lines == []


def test_after_the_last_try_it_is_given_up_and_logged(lab: EngineLab, hook: WebhookServer) -> None:
    task = Outage(lab).report.task.id
    hook.answers = [503] * 10
    with NotifierLab(lab, to(hook, desktop=False), (0.01,)) as notifying:
        notifying.fail(task)
        wait_until(lambda: notifying.log.lines, what="the line in the log")
        assert len(hook.posted) == 2
        assert "HTTP status 503" in notifying.log.text()
        assert [line.count("webhook") for line in notifying.log.text().splitlines()] == [1]


def test_a_refusal_is_not_tried_again(lab: EngineLab, hook: WebhookServer) -> None:
    task = Outage(lab).report.task.id
    hook.answers = [404]
    with NotifierLab(lab, to(hook, desktop=False), (0.01, 0.01)) as notifying:
        notifying.fail(task)
        wait_until(lambda: notifying.log.lines, what="the line in the log")
    assert len(hook.posted) == 1


def test_a_flood_of_failures_is_bounded_and_its_rest_counted(lab: EngineLab, hook: WebhookServer) -> None:
    notifying = NotifierLab(lab, to(hook, desktop=False), ())
    unsubscribe = notifying.bus.subscribe(notifying.notifier.hear)
    for number in range(MAX_WAITING + 7):
        notifying.fail(TaskId(f"nobody-{number}"))
    unsubscribe()
    with notifying:
        wait_until(lambda: notifying.log.lines, what="the line in the log")
    assert "7 failures were not reported" in notifying.log.text()


def test_publishing_never_waits_for_a_slow_sink(lab: EngineLab, hook: WebhookServer) -> None:
    task = Outage(lab).report.task.id
    held = threading.Event()
    with NotifierLab(lab, to(hook, desktop=False), ()) as notifying:
        real_sink = notifying.settings.sink

        class Slow:
            def send(self, notice: object) -> None:
                assert held.wait(20)

        notifying.settings.sink = lambda *_: Slow()  # type: ignore[method-assign]
        for _ in range(50):
            notifying.fail(task)
        held.set()
        notifying.settings.sink = real_sink  # type: ignore[method-assign]


# --- digests -----------------------------------------------------------------------------------------------------


def test_a_digest_counts_what_ended_since_the_last(lab: EngineLab, hook: WebhookServer) -> None:
    lab.backup(filled_vm(lab, name="db"))
    outage = Outage(lab)
    notifying = NotifierLab(lab, to(hook, WhenToNotify.DAILY), ())
    notifying.settings.note_reported(datetime.now(UTC) - timedelta(days=2))
    with notifying:
        (posted,) = wait_until(lambda: hook.posted, what="the digest")
        wait_until(
            lambda: (
                notifying.settings.reported_until(lambda: datetime.now(UTC))
                > datetime.now(UTC) - timedelta(hours=1)
            )
        )
    document = posted.document
    assert (document["event"], document["succeeded"], document["failed"]) == ("digest", 1, 1)
    assert [failure["task"] for failure in document["failures"]] == [outage.report.task.id]
    assert document["unproven"] == ["web (nightly)"]
    assert "VMs without a recent proof of restore: 1.\n- web (nightly)" in document["text"]
    with started_again(lab, hook) as again:
        again.fail(outage.report.task.id)
    assert len(hook.posted) == 1, "a digest that was sent is not sent again"


def started_again(lab: EngineLab, hook: WebhookServer) -> NotifierLab:
    return NotifierLab(lab, to(hook, WhenToNotify.DAILY), ())


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        ("2026-03-01 08:00", "2026-03-01 23:59", False),
        ("2026-03-01 08:00", "2026-03-02 07:59", False),
        ("2026-03-01 08:00", "2026-03-02 08:00", True),
        ("2026-03-01 07:59", "2026-03-01 08:00", True),
        ("2026-02-01 12:00", "2026-03-01 07:00", True),  # the machine was off for a month: one digest
        ("2026-03-02 08:00", "2026-03-01 12:00", False),  # the clock was put back
        ("2035-03-02 08:00", "2026-03-01 12:00", True),  # it stood years ahead: nobody knows
        ("2026-03-04 08:00", "2026-03-01 12:00", True),
    ],
)
def test_a_digest_is_due_once_a_day_at_its_local_time(last: str, now: str, *, due: bool) -> None:
    settings = NotificationSettings(
        webhook=WebhookSettings(enabled=True, when=WhenToNotify.DAILY, url="http://x/"), digest_at=time(8, 0)
    )

    def moment(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)

    assert is_digest_due(settings, moment(last), moment(now)) is due
    assert not is_digest_due(NotificationSettings(), moment(last), moment(now))
