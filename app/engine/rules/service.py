"""What rules do by themselves: runs, retries, retention, and the heartbeat of the engine that does it."""

import logging
from collections.abc import Callable

from app.domain.errors import OperationalError
from app.engine.program.clockwatch import ClockWatch
from app.engine.program.heartbeat import Heartbeat
from app.engine.rules.retention import RetentionService
from app.engine.rules.retries import Retries
from app.engine.rules.ticker import Ticker
from app.engine.standbys.watch import StandbyWatch

_log = logging.getLogger(__name__)


class RuleService:
    """Starts and ends what happens by the clock.

    Attributes:
        retention: removes what has expired.
        retries: decides which failed backups are tried again.
        replan: works out anew when rules run; to be called after they were changed elsewhere.

    Thread: any.
    """

    def __init__(
        self,
        *,
        ticker: Ticker,
        heartbeat: Heartbeat,
        clock_watch: ClockWatch,
        watch: StandbyWatch,
        retention: RetentionService,
        retries: Retries,
        replan: Callable[[], None],
    ) -> None:
        self._ticker = ticker
        self._heartbeat = heartbeat
        self._clock_watch = clock_watch
        self._watch = watch
        self.retention = retention
        self.retries = retries
        self.replan = replan

    def start(self) -> None:
        """Begin to look at the clock.

        Raises:
            CatalogUnavailable: the heartbeat cannot be written.
        """
        self._clock_watch.look()  # before the heartbeat: it compares with the last one
        self._heartbeat.begin()
        self._ticker.start()

    def tick(self) -> None:
        """Look at the clock now, on the caller's thread."""
        self._ticker.tick()

    def stop(self, wait_s: float = 30.0) -> None:
        """Begin nothing any more."""
        self._ticker.stop(wait_s)

    def close(self) -> None:
        """Note that the engine ends; to be called last."""
        self._watch.close()
        try:
            self._heartbeat.end()
        except OperationalError as error:
            _log.warning("the end of this engine was not kept: %s", error)
