"""All that the product says, as values: a kind and parameters; the sentence is made in the reader's language.

Errors, log lines, findings of the doctor, problems of a rule and warnings of a plan are all made of this. A
parameter is a name, a number, a size or a time, which are text and shown as they are, or another message: a word
of an enum, a reason, an error. It is never prose: prose in a parameter cannot be translated.

What other programs and libraries say (the text of an exception, a fault of a platform) is kept under the parameter
:data:`DETAILS`, which no template names: it is there to be copied, not to be read as ours.

Each layer declares its kinds as constants in its own ``messages.py`` or ``reasons.py``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, Protocol, Union, runtime_checkable

from app.domain.units import Clause, filled, filled_if_possible

Translate = Callable[[str], str]
"""Returns the reader's words for an English template."""

DETAILS: Final = "details"
"""The parameter under which foreign text is kept."""


class LogLevel(IntEnum):
    """How much a log line matters (日志等级: 普通, 警告, 错误)."""

    NORMAL = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class MessageKind:
    """A kind of message: a stable code and its English template.

    A kind that is used inside other messages reads as a clause: no capital at its beginning, no full stop.
    """

    code: str
    template: str

    def fill(self, **params: object) -> "Message":
        """Make a message of this kind.

        Raises:
            KeyError: the template names a parameter that was not given.
            TypeError: a parameter is an enum that has no words.
        """
        message = Message(self, param_values(params))
        str(message)
        return message

    def said(self) -> "Message":
        """Return the message of a kind without parameters."""
        return self.fill()


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its kind and the parameters, sorted by name."""

    kind: MessageKind
    params: tuple[tuple[str, Union[str, "Message"]], ...] = ()

    def __str__(self) -> str:
        return sentence(self.kind.template, self.params)

    def said(self) -> "Message":
        """Return itself: it is a message already."""
        return self

    @property
    def details(self) -> str:
        """What other programs said of it, line by line; empty where they said nothing."""
        return details_of(self.params)


Param = str | Message
"""A parameter of a message."""
Params = tuple[tuple[str, Param], ...]
"""The parameters of a message, sorted by name."""


@runtime_checkable
class Sayable(Protocol):
    """What can be a parameter of a message and is no plain text."""

    def said(self) -> Message:
        """Return it as a message."""
        ...


class Word(Enum):
    """An enum with words: each member's value is its English text, which stands inside sentences."""

    def said(self) -> Message:
        """Return the word as a message."""
        return Message(MessageKind(f"word.{type(self).__name__}.{self.name}".lower(), self.value))


UNKNOWN: Final = MessageKind("reason.unknown", "the reason is under the details")
"""What is said where only others have words for it."""


def param_values(params: Mapping[str, object]) -> Params:
    """Turn what a caller gives into parameters, sorted by name.

    Raises:
        TypeError: a parameter is an enum that has no words.
    """
    return tuple(sorted((name, _value(name, value)) for name, value in params.items() if _is_said(name, value)))


def _is_said(name: str, value: object) -> bool:
    return name != DETAILS or bool(value)


def _value(name: str, value: object) -> Param:
    if isinstance(value, str) and not isinstance(value, Enum):
        return value
    if isinstance(value, Sayable):
        return value.said()
    if isinstance(value, BaseException):
        return UNKNOWN.fill(details=f"{type(value).__name__}: {value}")
    if isinstance(value, Enum):
        msg = f"{name}: {value!r} has no words"
        raise TypeError(msg)
    return str(value)


def sentence(
    template: str, params: Mapping[str, Param] | Iterable[tuple[str, Param]], translate: Translate | None = None
) -> str:
    """Make the sentence of a template, with the messages inside of it, in English or as ``translate`` says.

    Raises:
        KeyError, ValueError, IndexError: the parameters do not fit the template.
    """
    return filled(translate(template) if translate else template, _texts(params, translate))


def sentence_if_possible(
    template: str, params: Mapping[str, Param] | Iterable[tuple[str, Param]], translate: Translate | None = None
) -> str:
    """Make the sentence like :func:`sentence`; where parameters do not fit, return them behind the template."""
    return filled_if_possible(translate(template) if translate else template, _texts(params, translate))


def _texts(
    params: Mapping[str, Param] | Iterable[tuple[str, Param]], translate: Translate | None
) -> Mapping[str, str]:
    return {
        name: Clause(sentence_if_possible(value.kind.template, value.params, translate))
        if isinstance(value, Message)
        else value
        for name, value in dict(params).items()
    }


def details_of(params: Mapping[str, Param] | Iterable[tuple[str, Param]]) -> str:
    """Return what other programs said, line by line, with these parameters and in the messages among them."""
    found: dict[str, None] = {}
    for name, value in dict(params).items():
        text = value.details if isinstance(value, Message) else value if name == DETAILS else ""
        found.update(dict.fromkeys(text.splitlines()))
    return "\n".join(line for line in found if line)


FURTHER: Final = MessageKind("list.further", "{first}; {others}")


def listed(messages: Iterable[Sayable]) -> Message | None:
    """Return several messages as one; None where there are none."""
    whole: Message | None = None
    for message in messages:
        whole = message.said() if whole is None else FURTHER.fill(first=whole, others=message)
    return whole
