"""Notifications as JSON by HTTP POST, signed."""

import hashlib
import hmac
import http.client
import ssl
from contextlib import closing

import msgspec

from app import __version__
from app.core.boundedcalls import BoundedCalls
from app.domain.addresses import WebAddress, web_address, with_port
from app.domain.display import visible
from app.domain.notifications import WebhookSettings
from app.domain.reasons import http_reason, reason_of
from app.engine.notify.channel import LIMIT_S, Channel, delivered
from app.engine.notify.errors import SinkFailed, SinkRefused
from app.engine.notify.notice import Failure, Notice
from app.engine.notify.proxies import Proxy, proxy_for
from app.engine.notify.reasons import ADDRESS, WEBHOOK
from app.engine.notify.sinks import Trust

SIGNATURE_HEADER = "X-Standfast-Signature"
TIMESTAMP_HEADER = "X-Standfast-Timestamp"
_MOST_ANSWER_BYTES = 64 * 1024
_OK = range(200, 300)
_TRY_AGAIN = frozenset({408, 425, 429})
_SERVER_ERROR = 500


class WebhookSink:
    """Posts notifications. Thread: one at a time."""

    def __init__(
        self,
        settings: WebhookSettings,
        secret: str | None,
        trust: Trust,
        *,
        calls: BoundedCalls | None = None,
        limit_s: float = LIMIT_S,
    ) -> None:
        """Know the server; nothing is sent yet.

        Args:
            settings: say where it is.
            secret: signs each message.
            trust: decides whether the server is the right one.
            calls: carries deliveries out; None makes new ones.
            limit_s: how long a delivery may take altogether.
        """
        self._settings = settings
        self._secret = secret
        self._trust = trust
        self._calls = calls or BoundedCalls("webhook")
        self._limit_s = limit_s

    def send(self, notice: Notice) -> None:
        """Post one. Redirects are not followed: the signed message is meant for one address.

        Raises:
            SinkFailed: the server cannot be reached or cannot take it now.
            SinkRefused: the server or its certificate is not right.
        """
        try:
            address = web_address(self._settings.url)
        except ValueError as error:
            raise SinkFailed(target=WEBHOOK, detail=ADDRESS.fill(reason=reason_of(error))) from error
        target = address.origin  # the path often is a secret itself
        try:
            status = delivered(self._calls, self._limit_s, lambda channel: self._post(channel, address, notice))
        except ssl.SSLCertVerificationError as error:
            raise SinkRefused(target=target, detail=reason_of(error)) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SinkFailed(target=target, detail=reason_of(error)) from error
        if status not in _OK:
            is_passing = status >= _SERVER_ERROR or status in _TRY_AGAIN
            raise (SinkFailed if is_passing else SinkRefused)(target=target, detail=http_reason(status))

    def _post(self, channel: Channel, address: WebAddress, notice: Notice) -> int:
        proxy = proxy_for(address)
        context = self._trust() if address.scheme == "https" else None
        connection = _Connection(channel, address, proxy, context)
        headers = self._headers(notice, body := msgspec.json.encode(_document(notice)))
        target = address.target
        if proxy is not None and context is None:
            target = address.origin + target
            if proxy.authorization:
                headers["Proxy-Authorization"] = proxy.authorization
        try:
            connection.request("POST", target, body, headers)
            with connection.getresponse() as answer:
                answer.read(_MOST_ANSWER_BYTES)
                return answer.status
        finally:
            connection.close()

    def _headers(self, notice: Notice, body: bytes) -> dict[str, str]:
        timestamp = str(int(notice.at.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Standfast/{__version__}",
            "Connection": "close",
            "X-Standfast-Event": notice.kind.value,
            TIMESTAMP_HEADER: timestamp,
        }
        if self._secret:
            headers[SIGNATURE_HEADER] = f"sha256={signature(self._secret, timestamp, body)}"
        return headers


class _Connection(http.client.HTTPConnection):
    """A connection over a channel, through a proxy where there is one."""

    def __init__(
        self, channel: Channel, address: WebAddress, proxy: Proxy | None, context: ssl.SSLContext | None
    ) -> None:
        super().__init__(address.host, address.port)
        if context is not None:
            self.default_port = http.client.HTTPS_PORT
        self._channel = channel
        self._address = address
        self._proxy = proxy
        self._context = context

    def connect(self) -> None:
        """Connect to the server, or to the proxy and through it."""
        hop: WebAddress | Proxy = self._proxy or self._address
        self.sock = self._channel.open(hop.host, hop.port)
        if self._context is None:
            return
        if self._proxy is not None:
            self._ask_for_tunnel(self._proxy)
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self._address.host)

    def _ask_for_tunnel(self, proxy: Proxy) -> None:
        target = with_port(self._address.host, self._address.port)
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if proxy.authorization:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        self.sock.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii"))
        with closing(http.client.HTTPResponse(self.sock, method="CONNECT")) as answer:
            answer.begin()
        if answer.status not in _OK:
            hop = with_port(proxy.host, proxy.port)
            raise OSError(f"the proxy {hop} answered with HTTP status {answer.status}")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return HMAC-SHA256 over ``timestamp.body`` in hexadecimal, as the receiver computes it too."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _document(notice: Notice) -> dict[str, object]:
    document: dict[str, object] = {
        "event": notice.kind.value,
        "at": notice.at,
        "title": notice.title,
        "text": notice.text,
        "failures": [_failure(failure) for failure in notice.failures],
    }
    if notice.since is not None:
        document |= {"since": notice.since, "succeeded": notice.succeeded, "failed": notice.failed}
        document["unproven"] = notice.unproven
    return document


def _failure(failure: Failure) -> dict[str, object]:
    record, error = failure.record, failure.error
    return {
        "task": record.id,
        "kind": record.kind.value,
        "vm": record.vm,
        "vm_name": visible(record.vm_name),
        "rule": visible(record.rule_name),
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "error": {
            "code": error.code,
            "params": {name: visible(str(value)) for name, value in error.params},
            "message": visible(error.message),
            "hint": visible(error.hint),
            "retryable": error.retryable,
        },
    }
