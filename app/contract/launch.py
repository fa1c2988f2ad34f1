"""What a program that starts an engine as its child sends it, and what it answers.

Over the child's standard input and output: one line of JSON each way. Standard input stays open as long as the
engine is wanted: when it ends, because the parent closed it or died, the engine ends in order. Nothing of this is
on a command line or in the environment, which other programs can read.
"""

import os
import threading
from collections.abc import Callable
from typing import Final, Self

import msgspec

from app.contract.errors import ErrorRow, error_from
from app.domain.catalogs import CatalogChoice
from app.domain.errors import OperationalError

CHILD_OPTION: Final = "--for-parent"
STDIN: Final = 0
STDOUT: Final = 1
_LONGEST_LINE_BYTES = 64 * 1024
_READ_BYTES = 4096


class EngineLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine gets first: where everything is, and what opens the passwords; that is not shown."""

    program: str
    config: str
    data: str
    local: str
    logs: str
    passphrase: str | None = None
    """Opens the encrypted password file; None where the passwords are in the keyring."""
    secret_store: str | None = None
    """Where the passwords are kept, in place of what the settings say; None: as they say."""
    catalog: CatalogChoice | None = None
    """What the operator chose to do about a catalog that is lost or another one; done before it is opened."""

    def __repr__(self) -> str:
        return f"EngineLaunch(data={self.data!r}, passphrase=…)"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine reports when it is ready, or why it cannot be."""

    engine: str
    """``ready`` or ``failed``."""
    error: ErrorRow | None = None

    @classmethod
    def ready(cls) -> Self:
        """Make the one that says that the door is open."""
        return cls(engine="ready")

    @classmethod
    def failed(cls, error: OperationalError) -> Self:
        """Make the one that says why there is no engine."""
        return cls(engine="failed", error=ErrorRow.of(error))

    def raise_error(self) -> None:
        """Raise what kept the engine from starting; nothing happens when it is ready.

        Raises:
            EngineBusy: another process holds the catalog.
            EngineError: what the engine met.
        """
        if self.error is not None:
            raise error_from(self.error)


def encode_line(message: EngineLaunch | Outcome) -> bytes:
    """Return a message as its line."""
    return msgspec.json.encode(message) + b"\n"


def read_outcome(line: bytes) -> Outcome | None:
    """Return what a line of the child says; None when it is something else that it printed."""
    try:
        return msgspec.json.decode(line, type=Outcome)
    except msgspec.MsgspecError:
        return None


def receive_launch(descriptor: int = STDIN) -> EngineLaunch:
    """Read what the parent sends.

    Raises:
        EOFError: it sent nothing.
    """
    # Unbuffered: a thread that waits in a buffered reader would keep the interpreter from ending.
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < _LONGEST_LINE_BYTES:
        part = os.read(descriptor, 1)
        if not part:
            break
        line += part
    try:
        return msgspec.json.decode(bytes(line), type=EngineLaunch)
    except msgspec.MsgspecError:
        raise EOFError("no parent said what to do") from None  # the line may hold a passphrase: not in the chain


def report_outcome(outcome: Outcome, descriptor: int = STDOUT) -> None:
    """Report the state to the parent; nothing happens when it is gone."""
    try:
        os.write(descriptor, encode_line(outcome))
    except OSError:
        return  # its standard input has ended as well, which ends this engine


def when_parent_is_gone(then: Callable[[], None], descriptor: int = STDIN) -> None:
    """Call a function, on a thread of its own, when the parent closes the standard input or dies."""

    def wait() -> None:
        try:
            while os.read(descriptor, _READ_BYTES):
                pass
        except OSError:
            pass  # a broken pipe of Windows: gone as well
        then()

    threading.Thread(target=wait, name="parent", daemon=True).start()
