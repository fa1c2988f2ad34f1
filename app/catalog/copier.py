"""Makes a safety copy of the catalog once a day, on a thread of its own."""

import logging
import threading
from typing import Final

from app.catalog.safety import CatalogGuard
from app.core.clock import Clock
from app.domain.errors import OperationalError

_log = logging.getLogger(__name__)

_FIRST_LOOK_S: Final = 15.0
_LOOK_S: Final = 1800.0
_CLOSE_S: Final = 1.0


class CatalogCopier:
    """Makes a copy of the catalog when one is due. Thread: any; the copying has its own."""

    def __init__(self, guard: CatalogGuard, clock: Clock, *, first_look_s: float = _FIRST_LOOK_S) -> None:
        """Know the catalog; nothing is copied yet.

        Args:
            guard: of the catalog.
            clock: says whether a day has passed.
            first_look_s: when it looks for the first time.
        """
        self._guard = guard
        self._clock = clock
        self._first_look_s = first_look_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="catalog-copy", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """End; a copy that is under way is given up with the process, and made at another time."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        pause_s = self._first_look_s
        while not self._ending.wait(pause_s):
            pause_s = _LOOK_S
            now = self._clock.now()
            if not self._guard.is_copy_due(now):
                continue
            try:
                self._guard.copy(now)
            except OperationalError as error:
                _log.warning("no safety copy of the catalog was made: %s", error)
            except Exception:  # noqa: BLE001 - a bug costs a copy, not the engine; it is logged
                _log.exception("no safety copy of the catalog was made")
