"""Looks at the standby of a recovery again and again, on a thread of its own that may have to wait for it."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from app.domain.errors import OperationalError
from app.nfs.failures import NO_ANSWER, StandbyAwayUnderVm, WritesElsewhere
from app.nfs.names import NamesDamaged
from app.nfs.overlay import OverlayError
from app.nfs.service.opening import ServedRecovery
from app.nfs.trouble import PATIENCE_S

_log = logging.getLogger(__name__)

LOOK_S: Final = 2.0
"""How often a standby is looked at."""
TRY_OUT_S: Final = 6.0
"""How often it is tried out whether a standby that refused takes writes again."""


class StandbyHealth:
    """Knows what is wrong at the standby of one recovery, from :meth:`start` to :meth:`stop`.

    Thread: any; a look that hangs is left to itself.
    """

    def __init__(self, served: ServedRecovery, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._served = served
        self._monotonic = monotonic
        self._stop = threading.Event()
        self._begun_at_s: float | None = None
        self._tried_at_s = float("-inf")
        self._found: OperationalError | None = None
        self.free_bytes: int | None = None
        """What the standby had free at the last look, where something is known."""
        self.is_there_anew = False
        """Whether the files are to be opened again, because they are on another mount by now."""
        self.is_lost = False
        """Whether the files are to be closed: they refuse, and are not under their path any more.

        As long as they are open, a broken file system cannot be unmounted, repaired and mounted again.
        """
        self._thread = threading.Thread(target=self._run, name="nfs-standby", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; waits for a look that is under way, but not for one that hangs."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(LOOK_S)

    def error(self) -> OperationalError | None:
        """Return what is wrong; None where nothing is known to be."""
        begun_at_s = self._begun_at_s
        if begun_at_s is not None and self._monotonic() - begun_at_s > PATIENCE_S:
            return StandbyAwayUnderVm(detail=NO_ANSWER)
        return self._found or self._served.volume.trouble.error()

    def look(self) -> None:
        """Look once, and try out what was refused."""
        self._begun_at_s = self._monotonic()
        try:
            found = self._served.look()
            self._found = None if found is None else self._looked_closer(found)
            self.free_bytes = self._served.free_bytes()
        finally:
            self._begun_at_s = None

    def _looked_closer(self, found: OperationalError) -> OperationalError | None:
        """Return what is wrong, after a look at what is under the path now and an attempt to write."""
        try:
            self.is_there_anew = self._served.is_there_anew()
        except WritesElsewhere as error:
            return error
        except (OperationalError, OverlayError, NamesDamaged, OSError):
            self.is_lost = isinstance(self._served.volume.trouble.error(), StandbyAwayUnderVm)
            return found
        if self.is_there_anew or self._monotonic() - self._tried_at_s < TRY_OUT_S:
            return found
        self._tried_at_s = self._monotonic()
        self._served.try_out()
        return self._served.look()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:  # noqa: BLE001 - a bug costs one look, not all that follow; it is logged
                _log.error("the standby could not be looked at", exc_info=True)
            self._stop.wait(LOOK_S)
