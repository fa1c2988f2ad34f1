"""Log lines as values: an identifier and parameters are kept, the sentence is made in the reader's language.

Each layer declares its message kinds as constants in its own ``messages.py``.
"""

from dataclasses import dataclass
from enum import IntEnum

from app.domain.units import filled


class LogLevel(IntEnum):
    """How much a log line matters (日志等级: 普通, 警告, 错误)."""

    NORMAL = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class MessageKind:
    """A kind of log line: a stable code and its English template."""

    code: str
    template: str

    def fill(self, **params: object) -> "Message":
        """Make a message of this kind.

        Raises:
            KeyError: the template names a parameter that was not given.
        """
        texts = {name: str(value) for name, value in params.items()}
        filled(self.template, texts)
        return Message(self, tuple(sorted(texts.items())))


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its kind and the parameters, sorted by name."""

    kind: MessageKind
    params: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return filled(self.kind.template, self.params)
