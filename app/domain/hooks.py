"""Commands that run before and after the backup of a VM: values."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from app.domain.ids import RuleId
from app.domain.messages import Message, MessageKind

MAX_TIME_LIMIT_S: Final = 24 * 3600
MAX_RETRIES: Final = 10
PHASES: Final = ("before", "after")
"""When a command runs, as command lines name it."""


NO_PROGRAM: Final = MessageKind("hook.no_program", "the program of a command is missing")
ZERO_BYTE: Final = MessageKind("hook.zero_byte", "an argument holds a zero byte")
TIME_LIMIT: Final = MessageKind("hook.time_limit", "the time limit is a number of seconds up to a day")
RETRIES: Final = MessageKind("hook.retries", "it can be tried again 0 to {most} times")


@dataclass(frozen=True, slots=True, kw_only=True)
class HookCommand:
    """One command: a program and its arguments, run without a shell."""

    arguments: tuple[str, ...]
    """The program, as an absolute path or a name that is looked for in PATH, and what it is given."""
    time_limit_s: float = 300.0
    """How long it may run, each time; it is ended with all its children then."""
    retries: int = 0
    """How often it is run again when it fails."""
    veto: bool = True
    """Before a backup: when it fails in the end, the backup is not made. After one it has no effect."""
    enabled: bool = True
    """Whether it is run; one that is off is kept for later."""

    def problems(self) -> Iterator[tuple[str, Message]]:
        """Yield what is wrong with it, as field and reason; one that is off needs no program yet."""
        if self.enabled and not (self.arguments and self.arguments[0].strip()):
            yield "program", NO_PROGRAM.fill()
        if any("\0" in argument for argument in self.arguments):
            yield "arguments", ZERO_BYTE.fill()
        if not 0 < self.time_limit_s <= MAX_TIME_LIMIT_S:
            yield "time_limit_s", TIME_LIMIT.fill()
        if not 0 <= self.retries <= MAX_RETRIES:
            yield "retries", RETRIES.fill(most=MAX_RETRIES)


def command_words(arguments: Iterable[str]) -> str:
    """Return a program and its arguments in one line for people; what has blanks is in quotation marks."""
    return " ".join(
        argument if argument and not any(map(str.isspace, argument)) else f'"{_one_line(argument)}"'
        for argument in arguments
    )


def _one_line(text: str) -> str:
    return "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}".join(text.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What runs around a backup."""

    before: HookCommand | None = None
    after: HookCommand | None = None

    def problems(self) -> tuple[tuple[str, Message], ...]:
        """Return what is wrong, as field and reason."""
        named = (("before", self.before), ("after", self.after))
        return tuple(
            (name, reason) for name, command in named if command is not None for _, reason in command.problems()
        )

    def switched_on(self) -> "Hooks":
        """Return those that are run."""
        before, after = (
            command if command is not None and command.enabled else None for command in (self.before, self.after)
        )
        return Hooks(before=before, after=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllHooks:
    """All hooks."""

    common: Hooks = field(default_factory=Hooks)
    """For rules that have none of their own."""
    rules: dict[RuleId, Hooks] = field(default_factory=dict)

    def of_rule(self, rule: RuleId | None) -> Hooks:
        """Return the hooks of a rule's backups, or of those that run for no rule."""
        return self.common if rule is None else self.rules.get(rule, self.common)
