"""Log lines as tables show them, in the reader's language."""

import json
from collections.abc import Callable, Iterable
from functools import cache
from typing import TypeVar

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from app.contract.log import LogRow
from app.domain.display import lines
from app.domain.messages import LogLevel
from app.models.rows import Column
from app.views import formatting
from app.views.translation import TABLES
from app.views.widgets.pill import Pill, Tone
from app.views.words import level_word, message_text

Row = TypeVar("Row")

_TONES = {LogLevel.NORMAL: Tone.IDLE, LogLevel.WARNING: Tone.PENDING, LogLevel.ERROR: Tone.FAILED}
_ACTIONS = {
    "backup": QT_TRANSLATE_NOOP("Actions", "Backup"),
    "catalog.read": QT_TRANSLATE_NOOP("Actions", "Read the catalog"),
    "log.clear": QT_TRANSLATE_NOOP("Actions", "Clear the log"),
    "log.export": QT_TRANSLATE_NOOP("Actions", "Download the log"),
    "platform.change": QT_TRANSLATE_NOOP("Actions", "Edit a platform"),
    "platform.register": QT_TRANSLATE_NOOP("Actions", "Register a platform"),
    "platform.remove": QT_TRANSLATE_NOOP("Actions", "Delete a platform"),
    "point.delete": QT_TRANSLATE_NOOP("Actions", "Delete a restore point"),
    "point.offer": QT_TRANSLATE_NOOP("Actions", "Offer a restore point over NBD"),
    "clock": QT_TRANSLATE_NOOP("Actions", "Clock"),
    "point.take_back": QT_TRANSLATE_NOOP("Actions", "Take back a restore point"),
    "program.end": QT_TRANSLATE_NOOP("Actions", "Program end"),
    "program.start": QT_TRANSLATE_NOOP("Actions", "Program start"),
    "rule.add_vms": QT_TRANSLATE_NOOP("Actions", "Add VMs"),
    "rule.change": QT_TRANSLATE_NOOP("Actions", "Edit a rule"),
    "rule.create": QT_TRANSLATE_NOOP("Actions", "Create a rule"),
    "rule.delete": QT_TRANSLATE_NOOP("Actions", "Delete a rule"),
    "rule.follow": QT_TRANSLATE_NOOP("Actions", "Follow a VM"),
    "rule.group_restore": QT_TRANSLATE_NOOP("Actions", "Group restore"),
    "rule.remove_vms": QT_TRANSLATE_NOOP("Actions", "Remove VMs"),
    "rule.run_now": QT_TRANSLATE_NOOP("Actions", "Run now"),
    "rule.schedule": QT_TRANSLATE_NOOP("Actions", "Schedule"),
    "rule.start": QT_TRANSLATE_NOOP("Actions", "Start a rule"),
    "rule.stop": QT_TRANSLATE_NOOP("Actions", "Stop a rule"),
    "standby.change": QT_TRANSLATE_NOOP("Actions", "Edit a standby machine"),
    "standby.refresh": QT_TRANSLATE_NOOP("Actions", "Read restore points again"),
    "standby.register": QT_TRANSLATE_NOOP("Actions", "Register a standby machine"),
    "standby.remove": QT_TRANSLATE_NOOP("Actions", "Delete a standby machine"),
    "standby.watch": QT_TRANSLATE_NOOP("Actions", "Watch a standby machine"),
    "restore": QT_TRANSLATE_NOOP("Actions", "Restore"),
    "verify": QT_TRANSLATE_NOOP("Actions", "Verification"),
    "migration": QT_TRANSLATE_NOOP("Actions", "Migration"),
}


def level_pill(level: LogLevel) -> Pill:
    """Return how a level is drawn."""
    return Pill(level_word(level), _TONES[level], outlined=level is LogLevel.NORMAL)


def line_text(row: LogRow, template: str = "") -> str:
    """Return a line's sentence in the reader's language; the English one where its kind is not known here."""
    source = template or row.template
    if not source:
        return row.text
    try:
        return message_text(source, row.params)
    except (KeyError, IndexError, ValueError):  # an older engine wrote other parameters
        return row.text


def action_text(action: str) -> str:
    """Return the name of what was being done; the code where it has none."""
    word = _ACTIONS.get(action)
    return action if word is None else QCoreApplication.translate("Actions", str(word))


@cache
def _templates() -> tuple[str, ...]:
    """Return every template that has a translation into any language, also of the parts inside of messages."""
    files = sorted(TABLES.glob("*/*.json"))
    return tuple({text for file in files for text in json.loads(file.read_text(encoding="utf-8"))})


def reader_words(typed: str = "") -> tuple[tuple[str, str], ...]:
    """Return what the reader sees in place of templates and of codes of actions, for searching.

    Args:
        typed: words that are searched for; what has none of them is left out. Empty: everything.
    """
    words = {text: QCoreApplication.translate("Messages", text) for text in _templates()}
    words.update((code, action_text(code)) for code in _ACTIONS)
    wanted = typed.casefold().split()
    found = {
        text: told for text, told in words.items() if not wanted or any(word in told.casefold() for word in wanted)
    }
    return tuple(sorted(found.items()))


def line_columns(line: Callable[[Row], LogRow], text: Callable[[Row], str]) -> tuple[Column[Row], ...]:
    """Return the columns time, level and text of rows that hold a log line."""
    return (
        Column(
            key="time",
            title=QCoreApplication.translate("LogLines", "Time"),
            text=lambda row: formatting.exact_time(line(row).at),
            sort=lambda row: line(row).id,
            value=lambda row: line(row).at,
            width=168,
        ),
        Column(
            key="level",
            title=QCoreApplication.translate("LogLines", "Level"),
            text=lambda row: level_word(line(row).level),
            sort=lambda row: int(line(row).level),
            paint=lambda row: level_pill(line(row).level),
            width=96,
        ),
        Column(
            key="text",
            title=QCoreApplication.translate("LogLines", "What happened"),
            text=text,
            tooltip=text,
            width=200,
            stretch=True,
        ),
    )


def as_text(rows: Iterable[LogRow]) -> str:
    """Return lines as plain text, for copying."""
    return lines(f"{formatting.exact_time(row.at)}  {level_word(row.level)}  {line_text(row)}" for row in rows)
