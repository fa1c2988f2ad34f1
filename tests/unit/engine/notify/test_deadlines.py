"""Servers that trickle, say too much or say nothing: one deadline for the whole delivery, and the engine ends."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.contract.notifications import SetNotifications
from app.core.boundedcalls import BoundedCalls
from app.domain.notifications import EmailSettings, MailSecurity, NotificationSettings, WebhookSettings
from app.engine.notify.email import EmailSink
from app.engine.notify.errors import SinkFailed
from app.engine.notify.notice import Notice, NoticeKind
from app.engine.notify.sinks import system_trust
from app.engine.notify.webhook import WebhookSink
from tests.support.engine_lab import EngineLab
from tests.support.mail_server import mail_server
from tests.support.slow_server import SlowServer, slow_server
from tests.support.waiting import wait_for_threads, wait_until
from tests.unit.engine.notify.test_notifier import Outage

TEST = Notice(kind=NoticeKind.TEST, at=datetime(2026, 3, 1, 8, 0, tzinfo=UTC))
TRICKLES = {
    "header lines": (b"HTTP/1.1 200 OK\r\n", b"X-Slow: 1\r\n"),
    "one byte at a time": (b"", b"H"),
    "continues": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    "nothing": (b"", b""),
}


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    wait_for_threads("webhook-", "email-", "notification-")


def fails_in_time(sink: WebhookSink | EmailSink, limit_s: float = 5.0) -> str:
    """Send over a sink that has one second; return why it failed."""
    began = time.monotonic()
    with pytest.raises(SinkFailed) as caught:
        sink.send(TEST)
    assert time.monotonic() - began < limit_s
    return caught.value.message


@pytest.mark.parametrize("kind", TRICKLES)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_web_server_that_trickles_is_given_up(kind: str, scheme: str) -> None:
    greeting, drop = TRICKLES[kind]
    with slow_server(greeting, drop) as server:
        settings = WebhookSettings(enabled=True, url=f"{scheme}://127.0.0.1:{server.port}/x")
        fails_in_time(WebhookSink(settings, None, system_trust, limit_s=1.0))


def email(server: SlowServer, security: MailSecurity) -> EmailSettings:
    return EmailSettings(
        enabled=True,
        host="127.0.0.1",
        port=server.port,
        security=security,
        sender="a@example.com",
        recipients=("b@example.com",),
    )


@pytest.mark.parametrize("security", list(MailSecurity))
@pytest.mark.parametrize("greeting", [b"", b"220-welcome\r\n"], ids=["silent", "greets"])
def test_a_mail_server_whose_greeting_has_no_end_is_given_up(security: MailSecurity, greeting: bytes) -> None:
    with slow_server(greeting, b"220-and welcome\r\n") as server:
        fails_in_time(EmailSink(email(server, security), None, system_trust, limit_s=1.0))


def test_a_mail_server_that_says_too_much_is_cut_off_early() -> None:
    with slow_server(b"220-" + b"x" * 4000 + b"\r\n", (b"220-" + b"x" * 4000 + b"\r\n") * 200, 0.001) as server:
        sink = EmailSink(email(server, MailSecurity.NONE), None, system_trust, limit_s=30.0)
        assert "says more" in fails_in_time(sink)


def test_deliveries_that_are_stuck_are_bounded_in_number() -> None:
    calls = BoundedCalls("webhook", at_once=2)
    with slow_server(b"", b"") as server:
        settings = WebhookSettings(enabled=True, url=f"http://127.0.0.1:{server.port}/x")
        for _ in range(5):
            fails_in_time(WebhookSink(settings, None, system_trust, calls=calls, limit_s=0.2))


def test_the_engine_ends_while_a_server_trickles(tmp_path: Path) -> None:
    with slow_server(*TRICKLES["header lines"]) as server, EngineLab(tmp_path) as lab:
        webhook = WebhookSettings(enabled=True, url=f"http://127.0.0.1:{server.port}/x")
        lab.engine.execute(SetNotifications(settings=NotificationSettings(webhook=webhook)))
        Outage(lab)
        assert server.connected.wait(10)
        began = time.monotonic()
        assert lab.engine.close()
        assert time.monotonic() - began < 10


def test_a_web_server_that_hangs_does_not_keep_mail_waiting_for_each_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.engine.notify.webhook.LIMIT_S", 1.0)
    monkeypatch.setattr(WebhookSink.__init__, "__kwdefaults__", {"calls": None, "limit_s": 1.0})
    (tmp_path / "mail").mkdir()
    with slow_server(b"", b"") as server, mail_server(tmp_path / "mail") as mail, EngineLab(tmp_path) as lab:
        settings = NotificationSettings(
            desktop=False,
            webhook=WebhookSettings(enabled=True, url=f"http://127.0.0.1:{server.port}/x"),
            email=replace(email(server, MailSecurity.NONE), host="localhost", port=mail.port),
        )
        lab.engine.execute(SetNotifications(settings=settings))
        for _ in range(4):
            Outage(lab)
        began = time.monotonic()
        wait_until(lambda: len(mail.kept) == 4, deadline_s=10)
        assert time.monotonic() - began < 8
        assert server.connections <= 2
