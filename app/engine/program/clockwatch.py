"""Watches this machine's clock for the engine, so that a clock that jumped removes nothing.

What was believed last is kept in the catalog, about once a minute. While the clock is doubted it stays as it was:
then the clock is believed again as soon as it is right again, or once the operator has confirmed it.
"""

import threading
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from app.core.bus import EventBus
from app.core.changes import ChangeFeed
from app.core.clock import Clock, uptime_s
from app.domain.changes import Subject
from app.domain.clocks import LONGEST_SILENCE, ClockDoubt, ClockDoubtKind, differs, doubt_of
from app.domain.errors import OperationalError
from app.domain.events import Event, PlatformRemoved, StandbyRemoved
from app.engine.history import messages
from app.engine.log.journal import Journal
from app.engine.ports import EngineStore, SettingsStore

_NAME = "clock"
_KEEP_EVERY = timedelta(minutes=1)


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of the clock over restarts."""

    believed_at: datetime | None = None
    """When it was last believed."""
    since: datetime | None = None
    """From when on it was believed without a gap; what was made before proves nothing."""
    gap_after: datetime | None = None
    """The newest restore point before a gap that nothing explains."""
    accepted: dict[str, int] = {}
    """By how much clocks of others differ that the operator accepted, in seconds."""


class ClockWatch:
    """Tells whether the clock can be believed. Thread: any."""

    def __init__(
        self,
        settings: SettingsStore,
        engines: EngineStore,
        clock: Clock,
        journal: Journal,
        bus: EventBus,
        changes: ChangeFeed,
    ) -> None:
        self._settings = settings
        self._engines = engines
        self._clock = clock
        self._journal = journal
        self._changes = changes
        self._lock = threading.Lock()
        self._kept: _Kept | None = None
        self._written_at: datetime | None = None
        self._uptime_s: float | None = None
        self._own: ClockDoubt | None = None
        self._others: dict[str, ClockDoubt] = {}
        self._announced: frozenset[tuple[ClockDoubtKind, str]] = frozenset()
        bus.subscribe(self._on_event)

    # --- looking -----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Compare the clock with what was believed last, and note what is believed now.

        Raises:
            CatalogUnavailable: that cannot be read or kept.
        """
        with self._lock:
            self._look()
            doubts = self._doubts()
        self._announce(doubts)

    def doubts(self) -> tuple[ClockDoubt, ...]:
        """Return why the clock cannot be believed now; empty while it can."""
        with suppress(OperationalError):  # what was found before still holds
            self.look()
        with self._lock:
            return self._doubts()

    def is_believed(self) -> bool:
        """Return whether what is old may be removed."""
        return not self.doubts()

    def _look(self) -> None:
        now, up_s = self._clock.now(), uptime_s(self._clock)
        kept = self._known(now)
        believed_at = kept.believed_at or now
        elapsed = None if self._uptime_s is None else timedelta(seconds=up_s - self._uptime_s)
        self._own = doubt_of(now, believed_at, elapsed)
        if self._own is None and kept.gap_after is not None:
            if now - kept.gap_after > LONGEST_SILENCE:
                ahead = int((now - kept.gap_after).total_seconds())
                self._own = ClockDoubt(kind=ClockDoubtKind.AHEAD, seconds=ahead)
            else:
                kept = msgspec.structs.replace(kept, gap_after=None)
        if self._own is None:
            self._kept, self._uptime_s = msgspec.structs.replace(kept, believed_at=now), up_s
            if self._written_at is None or abs(now - self._written_at) >= _KEEP_EVERY:
                self._write(now)

    def _known(self, now: datetime) -> _Kept:
        if self._kept is None:
            self._kept = self._stored()
            if self._kept is None:  # the first start of a version that watches the clock
                beats = [engine.beat_at for engine in self._engines.all()]
                self._kept = _Kept(believed_at=max(beats, default=now), since=now)
        return self._kept

    def _stored(self) -> _Kept | None:
        body = self._settings.get(_NAME)
        try:
            return None if body is None else msgspec.json.decode(body, type=_Kept)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self._settings.note_unreadable(_NAME, str(error))
            return None

    def _write(self, now: datetime) -> None:
        self._settings.put(_NAME, msgspec.json.encode(self._kept).decode())
        self._written_at = now

    def _doubts(self) -> tuple[ClockDoubt, ...]:
        own = () if self._own is None else (self._own,)
        accepted = self._kept.accepted if self._kept is not None else {}
        others = (
            doubt
            for key, doubt in sorted(self._others.items())
            if differs(timedelta(seconds=doubt.seconds), _span(accepted.get(key)))
        )
        return (*own, *others)

    # --- what others show --------------------------------------------------------------------------------------

    def note_other(self, kind: ClockDoubtKind, key: str, name: str, ahead: timedelta) -> None:
        """Note by how much our clock is ahead of that of a platform or standby machine."""
        doubt = ClockDoubt(kind=kind, seconds=int(ahead.total_seconds()), subject=name)
        with self._lock:
            self._others[f"{kind.value}:{key}"] = doubt

    def _on_event(self, event: Event) -> None:
        """Forget the clocks of those that are not asked any more."""
        if isinstance(event, PlatformRemoved):
            key = f"{ClockDoubtKind.PLATFORM.value}:{event.platform}"
        elif isinstance(event, StandbyRemoved):
            key = f"{ClockDoubtKind.STANDBY.value}:{event.standby}"
        else:
            return
        with self._lock:
            self._others.pop(key, None)

    def note_point_before(self, made_at: datetime) -> None:
        """Note when the restore point before the present one was made.

        Where that is long ago, and the clock was not watched all the time since, it may have jumped.
        """
        with self._lock:
            now = self._clock.now()
            kept = self._known(now)
            if now - made_at > LONGEST_SILENCE and kept.since is not None and made_at < kept.since:
                self._kept = msgspec.structs.replace(kept, gap_after=made_at)
                self._written_at = None

    # --- the operator ------------------------------------------------------------------------------------------

    def confirm(self) -> None:
        """Believe the clock as it is, and the differences to others that are known.

        Raises:
            CatalogUnavailable: that could not be kept.
        """
        with self._lock:
            now = self._clock.now()
            accepted = {key: doubt.seconds for key, doubt in self._others.items()}
            kept = self._known(now)
            self._kept = _Kept(believed_at=now, since=None, accepted={**kept.accepted, **accepted})
            self._uptime_s, self._own = uptime_s(self._clock), None
            self._write(now)
        self._journal.about("", "clock").info(messages.CLOCK_CONFIRMED)
        self._announce(())

    def _announce(self, doubts: tuple[ClockDoubt, ...]) -> None:
        """Announce doubts that came or went, and write to the operator's log what is new."""
        with self._lock:
            before, self._announced = self._announced, frozenset((doubt.kind, doubt.subject) for doubt in doubts)
            now = self._announced
        if now != before:
            self._changes.note(Subject.CLOCK)
        log = self._journal.about("", "clock")
        for doubt in doubts:
            if (doubt.kind, doubt.subject) not in before:
                hours = f"{abs(doubt.seconds) / 3600:.1f}"
                log.warning(messages.OF_CLOCK_DOUBT[doubt.kind], subject=doubt.subject, hours=hours)
        if before and not now:
            log.info(messages.CLOCK_BELIEVED)


def _span(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
