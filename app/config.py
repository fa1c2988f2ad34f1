"""Typed settings, read from ``key=value`` files: the one shipped next to the program, then the operator's own.

The format: UTF-8; one ``key=value`` per line; blanks around key and value do not count; a line that begins with
``#`` is a comment, and so is the rest of a line after a blank and ``#``. A key may stand once in a file. The
operator's file overrides the shipped one key by key; a file that does not exist sets nothing.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any, Final

from app.core.durable import replace_durably
from app.core.privatefiles import make_private_folders
from app.domain.errors import OperationalError
from app.domain.limits import HOST_BUFFER_MB, TaskLimits
from app.domain.messages import Message, MessageKind, Sayable
from app.domain.reasons import reason_of

_LONGEST_FILE_BYTES = 1 << 20
_LINE_END = re.compile(r"\r\n|\r|\n")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
_COMMENT = re.compile(r"(^|\s)#.*$")
_LONGEST_SHOWN = 60


class ConfigError(OperationalError):
    """A configuration file cannot be used. Subclasses say why; all name the file and what to do."""

    code = "config.invalid"


class ConfigUnreadable(ConfigError):
    """A configuration file exists but cannot be read as text."""

    code = "config.unreadable"
    message_template = "{file} cannot be read: {detail}."
    hint_template = "Save the file as plain text in UTF-8 and let this account read it, or remove it."


TOO_LARGE: Final = MessageKind("config.too_large", "it is larger than {bytes} bytes")
NOT_UTF8: Final = MessageKind("config.not_utf8", "line {line} holds the byte {byte}, which is not UTF-8")
NO_CHOICE: Final = MessageKind("config.no_choice", "it is none of the choices")
CHOOSE: Final = MessageKind("config.choose", "Choose one of: {choices}")
NOT_WHOLE: Final = MessageKind("config.not_whole", "it is not a whole number")
ZERO: Final = MessageKind("config.zero", "zero makes no sense here")
NEGATIVE: Final = MessageKind("config.negative", "it is negative")
LARGER: Final = MessageKind("config.larger", "it is larger than {largest}")
WRITE_NUMBER: Final = MessageKind("config.write_number", "Write a whole number from {smallest} to {largest}")
SET_IN: Final = MessageKind("config.set_in", "is set in {file}, line {line}")
HAS_DEFAULT: Final = MessageKind("config.has_default", "has its default")
PERHAPS: Final = MessageKind("config.perhaps", "Perhaps {key} is meant")
KEYS_ARE: Final = MessageKind("config.keys_are", "The keys are: {keys}")


class ConfigUnwritable(ConfigError):
    """What was changed cannot be written to the operator's file."""

    code = "config.unwritable"
    message_template = "{file} cannot be written: {detail}."
    hint_template = "Check the free space there and that this account may write the file."


class ConfigLineInvalid(ConfigError):
    """A line is not ``key=value``."""

    code = "config.line_invalid"
    message_template = "{file}, line {line}: {text!r} is not of the form key=value."
    hint_template = "Write key=value, or begin the line with # to make it a comment."


class ConfigKeyUnknown(ConfigError):
    """A key has no meaning."""

    code = "config.key_unknown"
    message_template = "{file}, line {line}: the key {key!r} (value {value!r}) is unknown."
    hint_template = "{remedy}."


class ConfigKeyRepeated(ConfigError):
    """A key is set twice in one file."""

    code = "config.key_repeated"
    message_template = (
        "{file}, line {line}: {key}={value} is set a second time; line {first_line} sets it already."
    )
    hint_template = "Remove one of the two lines."


class ConfigValueInvalid(ConfigError):
    """A value is not one that its key accepts."""

    code = "config.value_invalid"
    message_template = "{file}, line {line}: {key}={value} is not possible: {problem}."
    hint_template = "{remedy}."


class ConfigBudgetExceeded(ConfigError):
    """The number of tasks times their buffer is more than an ESXi host can serve."""

    code = "config.budget_exceeded"
    message_template = (
        "{file}, line {line}: {key}={value} is too much: bk_tsk_thd × i2vp_transbuffer = "
        "{tasks} × {buffer_mb} = {product_mb} > {budget_mb} (MB for one ESXi host; {other} {other_origin})."
    )
    hint_template = "{remedy}."


class SecretStoreKind(Enum):
    """Where passwords are kept."""

    KEYRING = "keyring"
    FILE = "file"


class PackingChoice(Enum):
    """How hard backups pack."""

    AUTO = "auto"
    FIXED = "fixed"


class LogDetail(Enum):
    """From which level on the program's log is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _whole(default: int, *, smallest: int, largest: int) -> int:
    value: int = field(default=default, metadata={"smallest": smallest, "largest": largest})
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What ``system.conf`` sets; every field is named like its key."""

    bk_tsk_thd: int = _whole(8, smallest=1, largest=HOST_BUFFER_MB)
    """How many tasks run at once over backup, restore and migration together."""
    i2vp_transbuffer: int = _whole(4, smallest=1, largest=HOST_BUFFER_MB)
    """Transfer buffer of one task, in MB."""
    platform_wait_s: int = _whole(300, smallest=1, largest=7200)
    """How long a task waits for a platform that cannot be reached, in seconds."""
    packing: PackingChoice = PackingChoice.AUTO
    """Whether a backup packs harder while its source is what holds it up, or always as its repository says."""
    secret_store: SecretStoreKind = SecretStoreKind.KEYRING
    """Where passwords are kept."""
    log_level: LogDetail = LogDetail.INFO
    """From which level on the program's log is written."""
    log_file_mb: int = _whole(10, smallest=1, largest=1024)
    """Size at which a log file is put aside and a new one begun."""
    log_files: int = _whole(5, smallest=1, largest=100)
    """How many log files that were put aside are kept."""

    @property
    def limits(self) -> TaskLimits:
        """The limits of running tasks."""
        return TaskLimits(tasks=self.bk_tsk_thd, buffer_mb=self.i2vp_transbuffer)


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``key=value`` of a file."""

    file: Path
    line: int
    key: str
    value: str


_FIELDS = {item.name: item for item in fields(Settings)}
KEYS: tuple[str, ...] = tuple(_FIELDS)
"""All keys, in the order of the shipped file."""


def load_settings(*files: Path) -> Settings:
    """Read the files in order; a later one overrides an earlier one key by key.

    Raises:
        ConfigError: a file cannot be used; the message names file, line, key, value and remedy.
    """
    return settings_of([parse_entries(file, text) for file in files if (text := read_text(file)) is not None])


def read_text(file: Path) -> str | None:
    """Return the text of a configuration file, or None when there is none.

    Raises:
        ConfigUnreadable: it is there but is no text, or may not be read.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(_LONGEST_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigUnreadable(file=file, detail=reason_of(error)) from error
    if len(raw) > _LONGEST_FILE_BYTES:
        raise ConfigUnreadable(file=file, detail=TOO_LARGE.fill(bytes=_LONGEST_FILE_BYTES))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        detail = NOT_UTF8.fill(line=line, byte=f"{raw[error.start]:#04x}")
        raise ConfigUnreadable(file=file, detail=detail) from error


def parse_entries(file: Path, text: str) -> list[Entry]:
    """Split the text of one file into its entries; ``file`` is for messages only.

    Raises:
        ConfigError: a line, a key or a repetition is refused.
    """
    found: dict[str, Entry] = {}
    for number, raw in enumerate(_LINE_END.split(text), start=1):
        content = _COMMENT.sub("", raw).strip()
        if not content:
            continue
        key, separator, value = (part.strip() for part in content.partition("="))
        if not (separator and key):
            raise ConfigLineInvalid(file=file, line=number, text=_shown(content))
        if key not in _FIELDS:
            raise ConfigKeyUnknown(
                file=file, line=number, key=_shown(key), value=_shown(value), remedy=_remedy_for_unknown(key)
            )
        if key in found:
            raise ConfigKeyRepeated(
                file=file, line=number, key=key, value=_shown(value), first_line=found[key].line
            )
        found[key] = Entry(file, number, key, value)
    return list(found.values())


def settings_of(files: Iterable[Iterable[Entry]]) -> Settings:
    """Make settings of the entries of several files; a later file overrides an earlier one.

    Raises:
        ConfigError: a value is refused, or the values do not go together.
    """
    effective: dict[str, Entry] = {}
    for entries in files:
        for entry in entries:
            # Put in again, so that the order shows which of two keys was set last.
            effective.pop(entry.key, None)
            effective[entry.key] = entry
    values: dict[str, Any] = {key: _value_of(entry) for key, entry in effective.items()}
    settings = Settings(**values)
    if not settings.limits.fit:
        raise _budget_error(settings.limits, effective)
    return settings


def _value_of(entry: Entry) -> object:
    kind = _FIELDS[entry.key].type
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _choice_of(entry, kind)
    return _number_of(entry)


def _choice_of(entry: Entry, kind: type[Enum]) -> Enum:
    for member in kind:
        if member.value == entry.value:
            return member
    choices = ", ".join(str(member.value) for member in kind)
    raise _refused(entry, NO_CHOICE, CHOOSE.fill(choices=choices))


def _number_of(entry: Entry) -> int:
    bounds = _FIELDS[entry.key].metadata
    smallest, largest = bounds["smallest"], bounds["largest"]
    remedy = WRITE_NUMBER.fill(smallest=smallest, largest=largest)
    if not _WHOLE_NUMBER.fullmatch(entry.value):
        raise _refused(entry, NOT_WHOLE, remedy)
    negative, digits = entry.value.startswith("-"), entry.value.lstrip("+-").lstrip("0")
    if not digits:
        raise _refused(entry, ZERO, remedy)
    if negative:
        raise _refused(entry, NEGATIVE, remedy)
    # Length first: Python refuses to convert thousands of digits.
    if len(digits) > len(str(largest)) or int(digits) > largest:
        raise _refused(entry, LARGER.fill(largest=largest), remedy)
    return int(digits)


def _refused(entry: Entry, problem: Sayable, remedy: Message) -> ConfigValueInvalid:
    return ConfigValueInvalid(
        file=entry.file, line=entry.line, key=entry.key, value=_shown(entry.value), problem=problem, remedy=remedy
    )


def _budget_error(limits: TaskLimits, effective: dict[str, Entry]) -> ConfigBudgetExceeded:
    last, *others = [effective[key] for key in reversed(effective) if key in ("bk_tsk_thd", "i2vp_transbuffer")]
    other = "i2vp_transbuffer" if last.key == "bk_tsk_thd" else "bk_tsk_thd"
    origin = SET_IN.fill(file=others[0].file, line=others[0].line) if others else HAS_DEFAULT.fill()
    return ConfigBudgetExceeded(
        file=last.file,
        line=last.line,
        key=last.key,
        value=last.value,
        tasks=limits.tasks,
        buffer_mb=limits.buffer_mb,
        product_mb=limits.product_mb,
        budget_mb=HOST_BUFFER_MB,
        other=other,
        other_origin=origin,
        remedy=limits.remedy(),
    )


def _remedy_for_unknown(key: str) -> Message:
    near = difflib.get_close_matches(key.lower(), KEYS, n=1)
    return PERHAPS.fill(key=near[0]) if near else KEYS_ARE.fill(keys=", ".join(KEYS))


def _shown(text: str) -> str:
    """Cut what an error message quotes; a message is no place for a page of noise."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


# --- writing -----------------------------------------------------------------------------------------------------


def text_of(value: object) -> str:
    """Return a value as it stands in the file."""
    return str(value.value if isinstance(value, Enum) else value)


def with_changes(text: str, changes: Mapping[str, str]) -> str:
    """Return the text of a file with some keys set again; comments and other lines stay as they are."""
    left = dict(changes)
    lines = _LINE_END.split(text)
    for index, raw in enumerate(lines):
        content = _COMMENT.sub("", raw).rstrip()
        key = content.partition("=")[0].strip()
        if key in left:
            lines[index] = f"{key}={left.pop(key)}{raw[len(content) :].rstrip()}"
    while lines and not lines[-1].strip():
        lines.pop()
    lines += [f"{key}={value}" for key, value in left.items()]
    return "\n".join(lines) + "\n"


def save_settings(file: Path, old: Settings, new: Settings) -> None:
    """Write what changed from ``old`` to ``new`` into the operator's file, durably, keeping the rest of it.

    Raises:
        ConfigError: the file is not usable, or the new limits do not fit; nothing is written.
        BufferBudgetExceeded: the new limits do not fit; nothing is written.
        OSError: it cannot be written; the old content is still there.
    """
    new.limits.check()
    changes = {key: text_of(getattr(new, key)) for key in KEYS if getattr(new, key) != getattr(old, key)}
    if not changes:
        return
    text = read_text(file) or ""
    parse_entries(file, text)
    make_private_folders(file.parent)
    replace_durably(file, with_changes(text, changes).encode())
