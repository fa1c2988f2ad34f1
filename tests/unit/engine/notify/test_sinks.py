"""Notifications arrive at real servers of this machine, or the reason why not is clear."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.domain.errors import KeptError, StandbyFull
from app.domain.ids import StandbyId, TaskId, VmId
from app.domain.notifications import EmailSettings, MailSecurity, WebhookSettings
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import TaskRecord
from app.engine.notify.digest import failure_of
from app.engine.notify.email import EmailSink
from app.engine.notify.errors import SinkFailed, SinkRefused
from app.engine.notify.notice import Notice, NoticeKind
from app.engine.notify.sinks import system_trust
from app.engine.notify.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookSink, signature
from tests.support.mail_server import MailServer, mail_server
from tests.support.waiting import free_port
from tests.support.webhook_server import WebhookServer, webhook_server

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
TEST = Notice(kind=NoticeKind.TEST, at=NOW)


def failure(vm_name: str = "web-01 生产") -> Notice:
    record = TaskRecord(
        id=TaskId("7f0c"),
        kind=TaskKind.BACKUP,
        state=TaskState.FAILED,
        vm=VmId("vm-7"),
        vm_name=vm_name,
        platform=None,
        standby=StandbyId("s"),
        rule_name="nightly",
        request="",
        created_at=NOW,
        ended_at=NOW,
        error=KeptError.of(StandbyFull(free_bytes=0, path="/backup")),
    )
    return Notice(kind=NoticeKind.FAILURE, at=NOW, failures=(failure_of(record),))


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailServer]:
    with mail_server(tmp_path) as running:
        yield running


@pytest.fixture
def hook() -> Iterator[WebhookServer]:
    with webhook_server() as running:
        yield running


def email_settings(mail: MailServer, **changed: object) -> EmailSettings:
    settings = EmailSettings(
        enabled=True,
        host="localhost",
        port=mail.port,
        user=mail.user,
        sender="standfast@example.com",
        recipients=("a@example.com", "b@example.com"),
    )
    return replace(settings, **changed)  # type: ignore[arg-type]


# --- e-mail ----------------------------------------------------------------------------------------------------


def test_a_failure_goes_to_all_recipients_over_starttls(mail: MailServer) -> None:
    EmailSink(email_settings(mail), mail.password, mail.trust).send(failure())
    (kept,) = mail.kept
    assert kept.was_encrypted
    assert kept.user == mail.user
    assert kept.sender == "standfast@example.com"
    assert kept.recipients == ["a@example.com", "b@example.com"]
    assert kept.message["Subject"] == "Standfast: backup of web-01 生产 failed"
    text = kept.message.get_content()
    assert "The standby path /backup is full (0 B free)." in text
    assert "standby.full" in text
    assert "Free space there" in text


def test_a_server_with_implicit_tls_works_too(tmp_path: Path) -> None:
    with mail_server(tmp_path, implicit_tls=True) as mail:
        settings = email_settings(mail, security=MailSecurity.TLS)
        EmailSink(settings, mail.password, mail.trust).send(TEST)
        assert mail.kept[0].was_encrypted


def test_a_server_without_encryption_gets_no_login(mail: MailServer) -> None:
    EmailSink(email_settings(mail, security=MailSecurity.NONE, user=""), None, mail.trust).send(TEST)
    (kept,) = mail.kept
    assert not kept.was_encrypted
    assert not kept.user


@pytest.mark.parametrize("implicit_tls", [False, True])
def test_a_certificate_that_is_not_trusted_gets_no_password(tmp_path: Path, *, implicit_tls: bool) -> None:
    with mail_server(tmp_path, implicit_tls=implicit_tls) as mail:
        security = MailSecurity.TLS if implicit_tls else MailSecurity.STARTTLS
        sink = EmailSink(email_settings(mail, security=security), mail.password, system_trust)
        with pytest.raises(SinkRefused, match="certificate is not trusted"):
            sink.send(TEST)
        assert mail.kept == []


def test_a_wrong_password_is_refused_and_not_shown(mail: MailServer) -> None:
    with pytest.raises(SinkRefused, match="the account was refused") as caught:
        EmailSink(email_settings(mail), "guessed", mail.trust).send(TEST)
    assert "guessed" not in str(caught.value)


def test_refused_recipients_are_named(mail: MailServer) -> None:
    mail.refuse_recipients = {"a@example.com", "b@example.com"}
    with pytest.raises(SinkRefused, match=r"a@example\.com, b@example\.com"):
        EmailSink(email_settings(mail), mail.password, mail.trust).send(TEST)


def test_a_busy_server_and_one_that_is_away_can_be_tried_again(mail: MailServer) -> None:
    mail.busy_times = 1
    sink = EmailSink(email_settings(mail), mail.password, mail.trust)
    with pytest.raises(SinkFailed, match="421"):
        sink.send(TEST)
    sink.send(TEST)
    assert len(mail.kept) == 1
    with pytest.raises(SinkFailed, match="localhost"):
        EmailSink(email_settings(mail, port=free_port()), None, mail.trust).send(TEST)


def test_a_name_cannot_add_headers(mail: MailServer) -> None:
    EmailSink(email_settings(mail), mail.password, mail.trust).send(failure("evil\r\nBcc: all@example.com"))
    (kept,) = mail.kept
    assert kept.message["Bcc"] is None
    assert kept.recipients == ["a@example.com", "b@example.com"]


# --- webhook ---------------------------------------------------------------------------------------------------


def test_a_failure_is_posted_and_signed(hook: WebhookServer) -> None:
    settings = WebhookSettings(enabled=True, url=f"{hook.url}/alerts?x=1")
    WebhookSink(settings, "s3cret", system_trust).send(failure())
    (posted,) = hook.posted
    assert posted.path == "/alerts?x=1"
    assert posted.headers["x-standfast-event"] == "failure"
    document = posted.document
    assert document["failures"][0]["vm_name"] == "web-01 生产"
    assert document["failures"][0]["error"]["code"] == "standby.full"
    assert document["failures"][0]["error"]["params"] == {"free_bytes": "0", "path": "/backup"}
    timestamp = posted.headers[TIMESTAMP_HEADER.lower()]
    expected = "sha256=" + signature("s3cret", timestamp, posted.body)
    assert posted.headers[SIGNATURE_HEADER.lower()] == expected
    assert signature("s3cret", "1", b"{}") == "3aef069923b329162e71de34136b0ef6ee4b9253867069748da3fc3680c71406"


def test_without_a_secret_there_is_no_signature(hook: WebhookServer) -> None:
    WebhookSink(WebhookSettings(enabled=True, url=hook.url), None, system_trust).send(TEST)
    assert SIGNATURE_HEADER.lower() not in hook.posted[0].headers


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, SinkFailed), (503, SinkFailed), (429, SinkFailed), (404, SinkRefused), (403, SinkRefused)],
)
def test_a_status_says_whether_it_is_worth_another_try(
    hook: WebhookServer, status: int, kind: type[Exception]
) -> None:
    hook.answers = [status]
    with pytest.raises(kind, match=f"HTTP status {status}"):
        WebhookSink(WebhookSettings(enabled=True, url=f"{hook.url}/secret-path"), "s", system_trust).send(TEST)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(hook: WebhookServer, status: int) -> None:
    hook.answers = [status]
    with pytest.raises(SinkRefused, match=f"HTTP status {status}"):
        WebhookSink(WebhookSettings(enabled=True, url=hook.url), "s", system_trust).send(TEST)
    assert len(hook.posted) == 1


def test_https_is_verified(tmp_path: Path) -> None:
    with webhook_server(tmp_path) as hook:
        settings = WebhookSettings(enabled=True, url=f"{hook.url}/secret-path")
        with pytest.raises(SinkRefused, match="certificate is not trusted") as caught:
            WebhookSink(settings, "s", system_trust).send(TEST)
        assert "secret-path" not in str(caught.value)
        WebhookSink(settings, "s", hook.trust).send(TEST)
        assert len(hook.posted) == 1


def test_a_server_that_is_away_can_be_tried_again() -> None:
    settings = WebhookSettings(enabled=True, url=f"http://127.0.0.1:{free_port()}/x")
    with pytest.raises(SinkFailed, match=r"http://127\.0\.0\.1"):
        WebhookSink(settings, None, system_trust).send(TEST)


# --- names from outside ----------------------------------------------------------------------------------------


HIDDEN = "web\u202e01\r\nReason: none\x1b[2J\u200b"
SHOWN = "web⟨U+202E⟩01␍␊Reason: none␛[2J⟨U+200B⟩"


def test_what_is_hidden_in_a_name_is_visible_in_every_notification(mail: MailServer, hook: WebhookServer) -> None:
    EmailSink(email_settings(mail), mail.password, mail.trust).send(failure(HIDDEN))
    WebhookSink(WebhookSettings(enabled=True, url=hook.url), None, system_trust).send(failure(HIDDEN))
    (kept,) = mail.kept
    assert kept.message["Subject"] == f"Standfast: backup of {SHOWN} failed"
    assert kept.message.get_content().splitlines()[0] == f"VM:     {SHOWN}"
    (posted,) = hook.posted
    assert posted.document["failures"][0]["vm_name"] == SHOWN
    assert SHOWN in posted.document["title"]
    assert "\u202e" not in str(posted.document)
