"""Notifications as JSON by HTTP POST, signed."""

import hashlib
import hmac
import http.client
import ssl
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import msgspec

from app import __version__
from app.domain.display import visible
from app.domain.notifications import WebhookSettings
from app.engine.notify.errors import SinkFailed, SinkRefused
from app.engine.notify.notice import Failure, Notice
from app.engine.notify.sinks import Trust

TIMEOUT_S = 15.0
SIGNATURE_HEADER = "X-Standfast-Signature"
TIMESTAMP_HEADER = "X-Standfast-Timestamp"
_MOST_ANSWER_BYTES = 64 * 1024
_TRY_AGAIN = frozenset({408, 425, 429})
_SERVER_ERROR = 500


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are not followed: the signed message is meant for one address."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Refuse."""


class WebhookSink:
    """Posts notifications. Thread: one at a time."""

    def __init__(self, settings: WebhookSettings, secret: str | None, trust: Trust) -> None:
        self._settings = settings
        self._secret = secret
        self._trust = trust

    def send(self, notice: Notice) -> None:
        """Post one.

        Raises:
            SinkFailed: the server cannot be reached or cannot take it now.
            SinkRefused: the server or its certificate is not right.
        """
        parts = urlsplit(self._settings.url)
        target = f"{parts.scheme}://{parts.netloc}"  # the path often is a secret itself
        opener = urllib.request.build_opener(
            _NoRedirect, urllib.request.HTTPSHandler(context=self._trust() if parts.scheme == "https" else None)
        )
        try:
            with opener.open(self._request(notice), timeout=TIMEOUT_S) as answer:
                answer.read(_MOST_ANSWER_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                is_passing = error.code >= _SERVER_ERROR or error.code in _TRY_AGAIN
                kind = SinkFailed if is_passing else SinkRefused
                raise kind(target=target, detail=f"HTTP status {error.code}") from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                detail = f"its certificate is not trusted ({error.reason.verify_message})"
                raise SinkRefused(target=target, detail=detail) from error
            raise SinkFailed(target=target, detail=error.reason) from error
        except (OSError, http.client.HTTPException) as error:
            raise SinkFailed(target=target, detail=str(error) or type(error).__name__) from error

    def _request(self, notice: Notice) -> urllib.request.Request:
        body = msgspec.json.encode(_document(notice))
        timestamp = str(int(notice.at.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Standfast/{__version__}",
            "X-Standfast-Event": notice.kind.value,
            TIMESTAMP_HEADER: timestamp,
        }
        if self._secret:
            headers[SIGNATURE_HEADER] = f"sha256={signature(self._secret, timestamp, body)}"
        # Settings with another scheme than http and https are refused when they are made.
        return urllib.request.Request(self._settings.url, body, headers, method="POST")  # noqa: S310


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return HMAC-SHA256 over ``timestamp.body`` in hexadecimal, as the receiver computes it too."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _document(notice: Notice) -> dict[str, object]:
    document: dict[str, object] = {
        "event": notice.kind.value,
        "at": notice.at,
        "title": notice.title,
        "text": notice.text,
        "failures": [_failure(one) for one in notice.failures],
    }
    if notice.since is not None:
        document |= {"since": notice.since, "succeeded": notice.succeeded, "failed": notice.failed}
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
            "params": {name: visible(value) for name, value in error.params},
            "message": visible(error.message),
            "hint": visible(error.hint),
            "retryable": error.retryable,
        },
    }
