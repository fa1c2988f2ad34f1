"""A keep-alive HTTPS connection that fetches byte ranges into buffers, and nothing else.

Why not ``http.client``: its responses cannot be waited for in slices, so a task could not be cancelled while a
host is silent, and a resumed range needs to know how far the broken one came.
"""

import re
import time
from dataclasses import dataclass
from typing import Self

from app.core.access import HttpsFile
from app.core.cancel import CancelToken
from app.domain.addresses import in_brackets, with_port
from app.domain.errors import CertificateChanged
from app.domain.messages import Message
from app.domain.reasons import http_reason
from app.transport.certificates import matches, thumbprint_of
from app.transport.errors import LinkStalled, MalformedAnswer
from app.transport.link import Link
from app.transport.options import TransportOptions
from app.transport.reasons import HEAD_TOO_SLOW, TOO_SLOW

_LONGEST_HEAD_BYTES = 32 * 1024
SLOWEST_BYTES_PER_S = 16 * 1024
"""A body that comes more slowly is taken for one that never ends."""
_STATUS_LINE = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: .*)?")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_LENGTH = re.compile(r"[0-9]{1,18}")
_ONCE = ("content-length", "content-range")


class UnexpectedStatus(Exception):
    """The server answered with another status than 206; the connection is closed."""

    def __init__(self, status: int, location: str = "") -> None:
        self.status = status
        self._reason = http_reason(status, location[:100])
        super().__init__(str(self._reason))

    def said(self) -> Message:
        """Return what the status means as a message."""
        return self._reason

    @property
    def may_pass(self) -> bool:
        """Return whether the same request may be answered later."""
        return self.status in (408, 425, 429) or self.status >= 500


@dataclass(frozen=True, slots=True)
class RangeHead:
    """What the head of a 206 answer says."""

    first: int
    length_bytes: int
    file_bytes: int
    keep_alive: bool


class RangeConnection:
    """One connection to a web server; one range at a time.

    Thread: one at a time.
    """

    def __init__(self, link: Link, options: TransportOptions) -> None:
        self._link = link
        self._options = options
        self._buffered = memoryview(b"")
        self.answers = 0
        """Answers that were taken whole."""
        self.asked_with: HttpsFile | None = None
        """The address, with its session, of the last request."""
        self._head_seen = False
        self._body_until = 0.0

    @classmethod
    def connect(cls, file: HttpsFile, options: TransportOptions, cancel: CancelToken) -> Self:
        """Connect, and check the certificate before anything is said.

        Raises:
            LinkFailure: no one answers there, or the connection broke.
            CertificateChanged: the certificate is not the pinned one.
            TaskCancelled: cancelled meanwhile.
        """
        link = Link.connect(file.host, file.port, timeout_s=options.connect_timeout_s, cancel=cancel)
        try:
            pinned = file.thumbprint_sha256
            certificate = link.start_tls(pinned=pinned is not None, timeout_s=options.handshake_timeout_s)
            if pinned is not None and not matches(certificate, pinned):
                raise CertificateChanged(
                    address=file.host, actual=thumbprint_of(certificate, "sha256"), expected=pinned
                )
        except BaseException:
            link.close()
            raise
        return cls(link, options)

    def ask(self, file: HttpsFile, first: int, length_bytes: int) -> None:
        """Send the request for a range.

        Raises:
            LinkFailure, TaskCancelled: it was not sent whole.
            ValueError: the address would break the request apart.
        """
        authority = in_brackets(file.host) if file.port == 443 else with_port(file.host, file.port)
        lines = (
            f"GET {file.target} HTTP/1.1",
            f"Host: {authority}",
            f"Cookie: {file.cookie}",
            f"Range: bytes={first}-{first + length_bytes - 1}",
            "Accept-Encoding: identity",
            "Connection: keep-alive",
        )
        if any("\r" in line or "\n" in line for line in lines) or " " in file.target:
            raise ValueError("the address of a datastore file holds characters that no request may hold")
        request = "".join(f"{line}\r\n" for line in (*lines, "")).encode()
        self.asked_with = file
        self._head_seen = False
        self._link.send(request, within_s=self._options.answer_timeout_s)

    @property
    def takes_rest(self) -> bool:
        """Return whether it served before and nothing was heard since the last request.

        Servers end connections that rest; that is no failure.
        """
        return self.answers > 0 and not self._head_seen

    def receive_head(self, first: int, longest_bytes: int) -> RangeHead:
        """Wait for the answer to a request for a range that starts at ``first``.

        Raises:
            UnexpectedStatus: it is not 206.
            MalformedAnswer: it is for another range, or no proper answer.
            LinkFailure, TaskCancelled: it did not come.
        """
        lines = self._receive_lines()
        self._head_seen = True
        status = _STATUS_LINE.fullmatch(lines[0])
        if status is None:
            raise MalformedAnswer(f"an HTTP answer that starts with “{lines[0][:80]}”")
        fields = _fields(lines[1:])
        if status[1] != "206":
            self.close()
            raise UnexpectedStatus(int(status[1]), fields.get("location", ""))
        covered = _CONTENT_RANGE.fullmatch(fields.get("content-range", ""))
        length = _LENGTH.fullmatch(fields.get("content-length", ""))
        if covered is None or length is None or fields.get("content-encoding", "identity") != "identity":
            raise MalformedAnswer("a partial answer that does not state its range and length")
        if "transfer-encoding" in fields:
            raise MalformedAnswer("a partial answer in a transfer encoding")
        start, end, total = (int(number) for number in covered.groups())
        size = end - start + 1
        if start != first or not 0 < size <= longest_bytes or int(length[0]) != size or end >= total:
            raise MalformedAnswer(
                f"bytes {start} to {end} of {total} ({length[0]} sent) where {longest_bytes} bytes from {first} "
                "were asked"
            )
        keep_alive = fields.get("connection", "keep-alive").lower() != "close"
        self._body_until = time.monotonic() + self._options.answer_timeout_s + size / SLOWEST_BYTES_PER_S
        return RangeHead(start, size, total, keep_alive)

    def receive_body(self, view: memoryview) -> int:
        """Put the next bytes of the body into the buffer and return how many they are.

        Raises:
            LinkFailure, TaskCancelled: they did not come.
        """
        if self._buffered:
            count = min(len(self._buffered), len(view))
            view[:count] = self._buffered[:count]
            self._buffered = self._buffered[count:]
            return count
        too_slow = TOO_SLOW.fill(kib=SLOWEST_BYTES_PER_S >> 10)
        return self._receive_some(view, self._body_until, too_slow)

    def _receive_some(self, view: memoryview, until: float, too_slow: Message) -> int:
        left_s = until - time.monotonic()
        if left_s <= 0:
            raise LinkStalled(too_slow)
        return self._link.receive_some(view, within_s=min(self._options.answer_timeout_s, left_s))

    def close(self) -> None:
        """Close the connection; never raises."""
        self._link.close()

    def _receive_lines(self) -> list[str]:
        """Receive the head of an answer; what came behind it is kept for the body."""
        data = bytearray(self._buffered)
        room = memoryview(bytearray(4096))
        until = time.monotonic() + self._options.answer_timeout_s
        while (end := data.find(b"\r\n\r\n")) < 0:
            if len(data) > _LONGEST_HEAD_BYTES:
                raise MalformedAnswer(f"an HTTP head of more than {_LONGEST_HEAD_BYTES} bytes")
            data += room[: self._receive_some(room, until, HEAD_TOO_SLOW.fill())]
        self._buffered = memoryview(bytes(data[end + 4 :]))
        return data[:end].decode("latin-1").split("\r\n")


def _fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or (name.lower() in fields and name.lower() in _ONCE):
            raise MalformedAnswer(f"an HTTP head with the line “{line[:80]}”")
        fields[name.lower()] = value.strip()
    return fields
