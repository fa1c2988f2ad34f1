"""Listens to the log and complains of what a test did not announce."""

import logging
import re
import threading
from collections.abc import Iterable


class LogGuard(logging.Handler):
    """Collects records of warning level and above between :meth:`begin` and :meth:`complaint`.

    Thread: any; records come from the threads under test.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._records_lock = threading.Lock()
        self._lines: list[str] = []
        self._allowed: list[re.Pattern[str]] = []
        self._expected: list[re.Pattern[str]] = []

    def install(self) -> None:
        """Start listening at the root logger."""
        logging.getLogger().addHandler(self)

    def uninstall(self) -> None:
        """Stop listening."""
        logging.getLogger().removeHandler(self)

    def begin(self, allowed: Iterable[str] = ()) -> None:
        """Forget the last test and take up the patterns that the next one allows."""
        with self._records_lock:
            self._lines.clear()
            self._allowed = [re.compile(pattern) for pattern in allowed]
            self._expected = []

    def allow(self, pattern: str) -> None:
        """Accept records that match, if there are any."""
        self._allowed.append(re.compile(pattern))

    def expect(self, pattern: str) -> None:
        """Accept records that match, and complain when there is none."""
        self._expected.append(re.compile(pattern))

    @property
    def lines(self) -> list[str]:
        """What was logged so far at warning level or above, as ``LEVEL logger: message``."""
        with self._records_lock:
            return list(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; a traceback in it is kept with it."""
        line = f"{record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[1] is not None:
            line += f" [{type(record.exc_info[1]).__name__}: {record.exc_info[1]}]"
        with self._records_lock:
            self._lines.append(line)

    def complaint(self) -> str | None:
        """Return what is wrong with the log of the test that ends now, or None."""
        lines = self.lines
        known = [*self._allowed, *self._expected]
        unexpected = [line for line in lines if not any(pattern.search(line) for pattern in known)]
        absent = [pattern.pattern for pattern in self._expected if not any(pattern.search(line) for line in lines)]
        self.begin()
        parts = []
        if unexpected:
            parts.append("unexpected in the log:\n  " + "\n  ".join(unexpected))
        if absent:
            parts.append("expected in the log but absent:\n  " + "\n  ".join(absent))
        return "\n".join(parts) or None
