"""Proxies of the environment: for the Internet only, and never in the way of what is near."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from app.domain.addresses import web_address
from app.domain.notifications import WebhookSettings
from app.engine.notify.errors import SinkFailed
from app.engine.notify.notice import Notice, NoticeKind
from app.engine.notify.proxies import proxy_for
from app.engine.notify.sinks import system_trust
from app.engine.notify.webhook import WebhookSink
from tests.support.waiting import free_port
from tests.support.webhook_server import WebhookServer, webhook_server

TEST = Notice(kind=NoticeKind.TEST, at=datetime(2026, 3, 1, 8, 0, tzinfo=UTC))
NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def hook() -> Iterator[WebhookServer]:
    with webhook_server() as running:
        yield running


def test_a_server_on_this_machine_is_reached_without_the_proxy(
    hook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    WebhookSink(WebhookSettings(enabled=True, url=hook.url), None, system_trust).send(TEST)
    assert len(hook.posted) == 1


def test_a_server_of_the_internet_is_reached_through_the_proxy(
    hook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = hook.url.replace("http://", "http://me:s3cret%21@")
    monkeypatch.setenv("http_proxy", proxy)
    WebhookSink(WebhookSettings(enabled=True, url="http://203.0.114.7/磐备?x=1"), None, system_trust).send(TEST)
    (posted,) = hook.posted
    assert posted.path == "http://203.0.114.7/%E7%A3%90%E5%A4%87?x=1"
    assert posted.headers["host"] == "203.0.114.7"
    assert posted.headers["proxy-authorization"].startswith("Basic ")
    monkeypatch.setenv("no_proxy", "203.0.114.7")
    assert proxy_for(web_address("http://203.0.114.7/")) is None


def test_a_proxy_that_refuses_is_named_without_its_password(
    hook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", hook.url.replace("http://", "http://me:s3cret@"))
    with pytest.raises(SinkFailed, match=r"the proxy 127\.0\.0\.1") as caught:
        WebhookSink(WebhookSettings(enabled=True, url="https://203.0.114.7/x"), None, system_trust).send(TEST)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://a..b:1", "http://x:99999", "https://x"])
def test_a_proxy_that_cannot_be_used_is_said(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(SinkFailed, match="proxy"):
        WebhookSink(WebhookSettings(enabled=True, url="https://203.0.114.7/x"), None, system_trust).send(TEST)
