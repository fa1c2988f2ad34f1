"""The classic messages that open an NFC session, in the order and the manners of a release.

Every byte is looked at: what no source explains is a violation, so that a client cannot get used to it here.
"""

import struct
from typing import Final

from app.simulator.nfc import wire
from app.simulator.nfc.errors import ProtocolViolation
from app.simulator.nfc.profiles import NfcProfile
from app.simulator.nfc.streams import ByteStream
from app.simulator.nfc.wire import Classic

_LONGEST_NAME_BYTES: Final = 256
_LONGEST_TAG_BYTES: Final = 64
_FEATURES: Final = frozenset({0, 1, 2, 3})
_TEXT: Final = frozenset(range(0x21, 0x7F))


class Greeting:
    """The exchange of classic messages of one session.

    Thread: the connection's.

    Attributes:
        client: what the client calls itself, and what it does: the two names of classic 54.
    """

    def __init__(self, stream: ByteStream, profile: NfcProfile) -> None:
        self._stream = stream
        self._profile = profile
        self.client: tuple[str, ...] = ()

    def run(self) -> None:
        """Exchange them.

        Raises:
            ConnectionEnded: the client went away.
            ProtocolViolation: the client says what this release does not understand, or what nothing explains.
        """
        if self._profile.takes_handshake:
            self._receive_handshake()
        self._only_zeros(self._receive(Classic.SESSION_PARAMETERS), 4)
        if not self._profile.answers_parameters_late:
            self._send_parameters()
        self._receive_version()
        if self._profile.answers_parameters_late:
            self._send_parameters()
        self._stream.send(wire.classic_message(Classic.VERSION, (4, self._profile.library_version)))
        self._receive_names()
        self._receive_features()
        self._only_zeros(self._receive(Classic.OPEN_AIO), 4)
        self._stream.send(wire.classic_message(Classic.OPEN_AIO))

    def _send_parameters(self) -> None:
        self._stream.send(wire.classic_message(Classic.SESSION_PARAMETERS_ANSWER, (16, 1)))

    def _receive_handshake(self) -> None:
        message = self._receive(Classic.HANDSHAKE)
        tag = message[4:].rstrip(b"\0")
        if not 0 < len(tag) <= _LONGEST_TAG_BYTES or not _TEXT.issuperset(tag):
            raise ProtocolViolation(f"a handshake with the tag {tag!r}")

    def _receive_version(self) -> None:
        message = self._receive(Classic.VERSION)
        version, second = wire.CLASSIC_PAIR.unpack_from(message, 4)
        if not version or second > 1:
            raise ProtocolViolation(f"the versions {version} and {second}")
        self._only_zeros(message, 12)

    def _receive_names(self) -> None:
        message = self._receive(Classic.CONNECTION_DATA, is_followed=True)
        lengths = wire.CLASSIC_PAIR.unpack_from(message, 4)
        self._only_zeros(message, 12)
        if max(lengths) > _LONGEST_NAME_BYTES:
            raise ProtocolViolation(f"names of {lengths} bytes")
        whole = self._stream.receive_message(sum(lengths)) if sum(lengths) else b""
        names = whole[: lengths[0]], whole[lengths[0] :]
        if not all(_TEXT.issuperset(name) for name in names):
            raise ProtocolViolation(f"the names {names!r}")
        self.client = tuple(name.decode("ascii") for name in names)

    def _receive_features(self) -> None:
        message = self._receive(Classic.FEATURES)
        (features,) = struct.unpack_from("<I", message, 4)
        if features not in _FEATURES:
            raise ProtocolViolation(f"the features {features}")
        self._only_zeros(message, 8)

    def _receive(self, expected: Classic, *, is_followed: bool = False) -> bytes:
        message = self._stream.receive_message(wire.CLASSIC_BYTES, is_followed=is_followed)
        kind = wire.classic_type(message)
        if kind != expected:
            raise ProtocolViolation(f"message {kind} instead of {expected.value}")
        return message

    @staticmethod
    def _only_zeros(message: bytes, start: int) -> None:
        if any(message[start:]):
            raise ProtocolViolation(f"bytes that nothing explains in message {wire.classic_type(message)}")
