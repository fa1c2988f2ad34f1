"""Both sides prove that they know the secret of this run of the engine, without sending it.

Each proof is HMAC-SHA256 over a label and both nonces, so that it is worth nothing a second time, nor in the other
direction, nor to a stranger who waits where the door was.
"""

import hashlib
import hmac
import os
import secrets
import socket
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from app import __version__
from app.contract.frames import MAX_HANDSHAKE_BYTES, BadFrame, Frame, Kind, receive_frame, send_frame

PROTOCOL = 1
_NONCE_BYTES = 32

M = TypeVar("M")


class _Hello(msgspec.Struct, frozen=True):
    protocol: int
    version: str
    nonce: bytes


class _Challenge(msgspec.Struct, frozen=True):
    protocol: int
    version: str
    nonce: bytes
    proof: bytes


class _Proof(msgspec.Struct, frozen=True):
    proof: bytes


class _Welcome(msgspec.Struct, frozen=True):
    pid: int


class UntrustedPeer(Exception):
    """The other side does not know the secret, or does not speak our language."""


class OtherVersion(Exception):
    """The other side speaks another version of our language."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.version = version


@dataclass(frozen=True, slots=True)
class Engine:
    """What a client learns of the engine."""

    pid: int


Greeting = Generator[Frame, Frame, Engine]
"""Gives the frames to send, is given those that come, and returns what was learnt of the engine."""


def greeting(secret: bytes) -> Greeting:
    """Return the client's part, step by step, whatever carries the frames.

    Raises:
        UntrustedPeer: there is someone else than the engine.
        OtherVersion: the engine is another version.
    """
    hello = _Hello(PROTOCOL, __version__, secrets.token_bytes(_NONCE_BYTES))
    answer = yield Frame(Kind.HELLO, msgspec.json.encode(hello))
    challenge = _read(answer, Kind.CHALLENGE, _Challenge)
    if not hmac.compare_digest(challenge.proof, _proof(secret, b"engine", hello.nonce, challenge.nonce)):
        raise UntrustedPeer("the other side does not know the secret of the engine")
    if (challenge.protocol, challenge.version) != (PROTOCOL, __version__):
        raise OtherVersion(challenge.version)
    proof = _Proof(_proof(secret, b"caller", hello.nonce, challenge.nonce))
    answer = yield Frame(Kind.PROOF, msgspec.json.encode(proof))
    return Engine(_read(answer, Kind.WELCOME, _Welcome).pid)


def greet(connection: socket.socket, secret: bytes) -> Engine:
    """Do the client's part on a connected socket.

    Raises:
        UntrustedPeer: there is someone else than the engine.
        OtherVersion: the engine is another version.
        OSError: the connection broke, or the other side was silent.
    """
    steps = greeting(secret)
    to_send = next(steps)
    while True:
        send_frame(connection, to_send)
        try:
            to_send = steps.send(_receive(connection))
        except StopIteration as end:
            engine: Engine = end.value
            return engine


def receive_caller(connection: socket.socket, secret: bytes, *, version: str = __version__) -> None:
    """Do the engine's part, as an engine of some version.

    Raises:
        UntrustedPeer: the caller does not know the secret.
        OtherVersion: the caller is another version.
        OSError: the connection broke, or the caller was silent.
    """
    hello = _received(connection, Kind.HELLO, _Hello)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    challenge = _Challenge(PROTOCOL, version, nonce, _proof(secret, b"engine", hello.nonce, nonce))
    send_frame(connection, Frame(Kind.CHALLENGE, msgspec.json.encode(challenge)))
    if (hello.protocol, hello.version) != (PROTOCOL, version):
        raise OtherVersion(hello.version)
    given = _received(connection, Kind.PROOF, _Proof)
    if not hmac.compare_digest(given.proof, _proof(secret, b"caller", hello.nonce, nonce)):
        raise UntrustedPeer("the caller does not know the secret")
    send_frame(connection, Frame(Kind.WELCOME, msgspec.json.encode(_Welcome(os.getpid()))))


def _proof(secret: bytes, label: bytes, caller_nonce: bytes, engine_nonce: bytes) -> bytes:
    if len(caller_nonce) != _NONCE_BYTES or len(engine_nonce) != _NONCE_BYTES:
        raise UntrustedPeer("a nonce has a wrong length")
    return hmac.new(secret, label + caller_nonce + engine_nonce, hashlib.sha256).digest()


def _received(connection: socket.socket, kind: Kind, message: type[M]) -> M:
    return _read(_receive(connection), kind, message)


def _receive(connection: socket.socket) -> Frame:
    try:
        return receive_frame(connection, most_bytes=MAX_HANDSHAKE_BYTES)
    except BadFrame as error:
        raise UntrustedPeer(str(error)) from error


def _read(frame: Frame, kind: Kind, message: type[M]) -> M:
    if frame.kind is not kind:
        raise UntrustedPeer(f"{frame.kind.name} came where {kind.name} was expected")
    try:
        return msgspec.json.decode(frame.payload, type=message)
    except msgspec.MsgspecError as error:
        raise UntrustedPeer(str(error)) from error
