"""Shows answers: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import IO

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.domain.display import is_hidden, visible
from app.domain.units import size_text

_WIDE = 1000
"""Width where there is no terminal: a program that reads lines wants each row in one."""


class Screen:
    """Writes answers to standard output and remarks to standard error. Thread: one."""

    def __init__(self, *, as_json: bool, out: IO[str] | None = None, err: IO[str] | None = None) -> None:
        self.as_json = as_json
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        is_terminal = self._out.isatty()
        self._console = Console(file=self._out, highlight=False, width=None if is_terminal else _WIDE)

    def document(self, value: object) -> None:
        """Write a value as JSON."""
        text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False, indent=1)
        self._out.write(escaped(text) + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], value: object) -> None:
        """Write rows as a table, or the value they were made of as JSON.

        Args:
            columns: Headings; those of numbers begin with ``>``, which is not shown.
            rows: Cells.
            value: What to write as JSON.
        """
        if self.as_json:
            self.document(value)
            return
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column in columns:
            table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        self._console.print(table)

    def facts(self, facts: Iterable[tuple[str, object]], value: object) -> None:
        """Write named facts below each other, or the value they were made of as JSON."""
        if self.as_json:
            self.document(value)
            return
        for name, fact in facts:
            self._console.print(Text(f"{name + ':':<18} "), _cell(fact), sep="", soft_wrap=True)

    def line(self, text: str) -> None:
        """Write a line for people; nothing with ``--json``."""
        if not self.as_json:
            self._console.print(_cell(text), soft_wrap=True)

    def remark(self, text: str) -> None:
        """Write a line to standard error."""
        if self._err is not None:
            print(visible(text), file=self._err)


def _cell(value: object) -> Text:
    if value is None:
        return Text("-")
    if isinstance(value, datetime):
        return Text(f"{value.astimezone():%Y-%m-%d %H:%M:%S}")
    return Text(visible(str(value)))


def escaped(document: str) -> str:
    """Write what is hidden in a JSON document as escapes; its own line breaks stay."""
    if document.isascii() and "\x7f" not in document:
        return document
    return "".join(
        json.dumps(character)[1:-1] if character != "\n" and is_hidden(character) else character
        for character in document
    )


def size(count: float | None) -> str:
    """Return a number of bytes for people, with the figures that the window shows."""
    return "-" if count is None else size_text(count)
