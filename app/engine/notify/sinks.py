"""Where notifications go."""

import ssl
from collections.abc import Callable
from typing import Protocol

import truststore

from app.engine.notify.notice import Notice

Trust = Callable[[], ssl.SSLContext]
"""Makes the TLS settings of one connection."""


class Sink(Protocol):
    """Delivers notifications. Thread: one at a time."""

    def send(self, notice: Notice) -> None:
        """Deliver one; bounded in time.

        Raises:
            SinkFailed: it did not work now.
            SinkRefused: it will not work later either.
        """
        ...


def system_trust() -> ssl.SSLContext:
    """Trust whom the operating system trusts."""
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
