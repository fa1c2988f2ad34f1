"""Consoles: whose rules write to a repository, a copy of these rules, and which consoles were taken over.

Each console keeps the copy of its own rules in ``consoles/<mark>.rules``: what is in it is the caller's. Another
console that takes its rules over writes ``consoles/<mark>.taken`` next to it. From then on the console of that
mark writes no points, deletes none and collects no garbage; it looks for the file before each of these, and once
more before a point becomes visible. Reading goes on. It is the owner again when it takes over itself.

In an encrypted repository both files are encrypted and bound to their names, so that nobody without the key can
stop a console. What cannot be read there stops nobody.
"""

import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from app.core.clock import Clock
from app.core.durable import sync_directory, unlink
from app.domain.display import visible
from app.repository.crypto import RepositoryKeys
from app.repository.documents import decode_document, encode_document, format_of
from app.repository.errors import RulesTakenOver, WrittenByNewer
from app.repository.files import Displaced, make_directory, read_bounded, replace_file, storage_errors
from app.repository.layout import RULES_SUFFIX, TAKEN_SUFFIX, Layout, is_console_id
from app.repository.reasons import CONSOLE

_LONGEST_BYTES = 8 * 1024 * 1024
_FORMAT = 1


class _RulesFile(msgspec.Struct, frozen=True):
    format: int
    repository: str
    console: str
    host: str
    written_at: str
    rules: msgspec.Raw


class _TakenFile(msgspec.Struct, frozen=True):
    format: int
    repository: str
    console: str
    by: str
    host: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """Who took the rules of a console over, and when by that one's clock."""

    by: str
    host: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleCopy:
    """A console that wrote its rules here."""

    console: str
    """Its mark."""
    host: str
    written_at: datetime
    """By its clock."""
    rules: bytes
    """JSON that the console wrote."""
    is_ours: bool
    taken: TakenOver | None


class Consoles:
    """The consoles of one repository. Thread: any."""

    def __init__(
        self, layout: Layout, repository_id: str, keys: RepositoryKeys | None, clock: Clock, mine: str
    ) -> None:
        """Prepare; ``mine`` tells this console from every other, and stays when it is started again."""
        self._layout = layout
        self._repository_id = repository_id
        self._keys = keys
        self._clock = clock
        self.mine = mine
        """The mark of this console."""

    def publish(self, rules: bytes) -> None:
        """Keep the copy of this console's rules, durably, in the place of an older one.

        Args:
            rules: JSON.

        Raises:
            RulesTakenOver: they are another console's now.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        self.refuse_taken_over()
        file = _RulesFile(
            _FORMAT,
            self._repository_id,
            self.mine,
            platform.node(),
            self._clock.now().isoformat(),
            msgspec.Raw(rules),
        )
        self._write(f"{self.mine}{RULES_SUFFIX}", encode_document(file))

    def listing(self) -> tuple[ConsoleCopy, ...]:
        """Return the consoles whose rules can be read, by their marks.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        with storage_errors(self._layout.root):
            return tuple(copy for mark in self._marks() if (copy := self._copy(mark)) is not None)

    def take_over(self, console: str) -> None:
        """Make a console stop writing here, durably, and this one the owner of its rules.

        Raises:
            ValueError: that is no mark of another console.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        if not is_console_id(console) or console == self.mine:
            raise ValueError(f"not the mark of another console: {console!r}")
        at = self._clock.now().isoformat()
        file = _TakenFile(_FORMAT, self._repository_id, console, self.mine, platform.node(), at)
        self._write(f"{console}{TAKEN_SUFFIX}", encode_document(file))
        with storage_errors(self._layout.root), suppress(FileNotFoundError):
            unlink(self._layout.consoles / f"{self.mine}{TAKEN_SUFFIX}")
            sync_directory(self._layout.consoles)

    def taken_over(self) -> TakenOver | None:
        """Return who took the rules of this console over, or None.

        Raises:
            WrittenByNewer: a newer program did.
            StandbyUnavailable: the standby cannot be read.
        """
        with storage_errors(self._layout.root):
            return self._taken(self.mine)

    def refuse_taken_over(self) -> None:
        """Make sure that this console may write here.

        Raises:
            RulesTakenOver: another console took its rules over.
            WrittenByNewer: a newer program did.
            StandbyUnavailable: the standby cannot be read.
        """
        taken = self.taken_over()
        if taken is not None:
            raise RulesTakenOver(
                path=self._layout.root, host=taken.host, since=f"{taken.at.astimezone():%Y-%m-%d %H:%M}"
            )

    def _write(self, name: str, data: bytes) -> None:
        with storage_errors(self._layout.root):
            make_directory(self._layout.consoles)
            sealed = data if self._keys is None else self._keys.seal_file(data, _place(name))
            replace_file(self._layout.consoles / name, sealed)

    def _read(self, name: str) -> bytes | None:
        """Return what is in a file; None where it is missing, or is not what a console wrote."""
        try:
            data = read_bounded(self._layout.consoles / name, _LONGEST_BYTES)
            return data if self._keys is None else self._keys.open_file(data, _place(name))
        except (FileNotFoundError, ValueError, Displaced):
            return None

    def _copy(self, mark: str) -> ConsoleCopy | None:
        data = self._read(f"{mark}{RULES_SUFFIX}")
        try:
            if data is None or format_of(data) > _FORMAT:
                return None
            file = decode_document(data, _RulesFile)
            if (file.console, file.repository) != (mark, self._repository_id):
                return None
            return ConsoleCopy(
                console=mark,
                host=visible(file.host),
                written_at=_moment(file.written_at),
                rules=bytes(file.rules),
                is_ours=mark == self.mine,
                taken=self._taken(mark),
            )
        except ValueError:
            return None

    def _taken(self, mark: str) -> TakenOver | None:
        data = self._read(f"{mark}{TAKEN_SUFFIX}")
        if data is None:
            return None
        try:
            is_newer = format_of(data) > _FORMAT
            if not is_newer:
                file = decode_document(data, _TakenFile)
                if (file.console, file.repository) != (mark, self._repository_id) or not is_console_id(file.by):
                    return None
                return TakenOver(by=file.by, host=visible(file.host), at=_moment(file.at))
        except ValueError:
            return None
        raise WrittenByNewer(what=CONSOLE.fill(console=mark))

    def _marks(self) -> Iterator[str]:
        try:
            paths: list[Path] = sorted(self._layout.consoles.iterdir())
        except FileNotFoundError:  # a repository of an earlier version
            return
        yield from (path.stem for path in paths if path.suffix == RULES_SUFFIX and is_console_id(path.stem))


def _place(name: str) -> str:
    """Name the place that an encrypted file of a console is bound to."""
    return f"consoles/{name}"


def _moment(text: str) -> datetime:
    """Read a moment.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment.astimezone(UTC)
