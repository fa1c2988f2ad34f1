"""Choosing how a disk is read or written over NFC, by measuring: packing, bytes in flight and buffers.

What is best depends on the line, on the host's processor and on the data: on a fast network every packing only
costs time, over 50 Mbit/s it saves most of it (protocols page *NFC*, sections 4a.16 and 4a.20). So as soon as a
disk has taken a moment, requests are sent in every manner in turn, in slices, and each is timed from the answer
before it to its last one: with the pipe kept full that is what the slice costs. The simplest manner that is about
as fast as the best is taken, and looked at again when the speed has changed. What is read within that moment is
read as it is: measuring would take longer than it can save. Buffers belong to a session, so that each size costs
opening the disk anew: they are compared once, for a disk of which much is read.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from app.domain.messages import Message, MessageKind, listed
from app.transport import messages
from app.transport.options import MIB, Compression, TransportOptions

WORTH_BYTES: Final = 64 * MIB
"""Disks below this are read before anything is known: they are read as they are."""
WORTH_S: Final = 1.0
"""A disk that takes less is read as it is."""
_FIRST_SLICE_BYTES, _SLICE_BYTES = MIB, 4 * MIB
_FIRST_ROUNDS: Final = (_FIRST_SLICE_BYTES, *[_SLICE_BYTES] * 3)
_LATER_ROUNDS: Final = (_FIRST_SLICE_BYTES, _SLICE_BYTES)
_AS_GOOD: Final = 1.1
"""A manner is taken before simpler ones only when it is faster by this."""
_HOPELESS: Final = 0.5
"""A manner that is this much slower than the best after its first slice is not tried again."""
_WATCHED_BYTES: Final = 32 * MIB
_CHANGED: Final = 2.0
_SETTLED_BYTES: Final = 512 * MIB
"""So much is read before a changed speed leads to new measurements."""
_SMALLEST_SHARE, _SHARE_KEPT = 0.25, 0.8
"""No more than four times the bytes in flight are asked for; how slowly the share of what travels follows."""
_LEAST_IN_FLIGHT_BYTES: Final = 256 * 1024
REOPENED_AFTER_BYTES: Final = 1024 * MIB
"""So much of a disk is read before sessions with other buffers are tried."""
_BUFFER_SLICE_BYTES: Final = 16 * MIB


@dataclass(frozen=True, slots=True)
class Direction:
    """What differs between reading and writing."""

    packings: tuple[Compression, ...]
    """Those that can be asked for, the simplest first."""
    chosen: MessageKind
    """Says in which manner the rest is done."""


READING: Final = Direction(
    (Compression.NONE, Compression.SKIPZ, Compression.ZLIB, Compression.FASTLZ), messages.READ_IN_MANNER
)
WRITING: Final = Direction((Compression.NONE, Compression.SKIPZ, Compression.ZLIB), messages.WRITTEN_IN_MANNER)
"""We cannot pack FastLZ."""


@dataclass(frozen=True, slots=True)
class Manner:
    """One way to read or write."""

    compression: Compression
    in_flight_bytes: int
    buffer_bytes: int = 0
    """Of the session; 0: whatever it has."""

    def said(self) -> Message:
        """Return it as a message."""
        said = {"packing": messages.PACKINGS[self.compression], "bytes": self.in_flight_bytes}
        if self.buffer_bytes:
            return messages.MANNER_WITH_BUFFERS.fill(buffer_bytes=self.buffer_bytes, **said)
        return messages.MANNER.fill(**said)


@dataclass(slots=True)
class Slice:
    """Some requests in a row that are sent in one manner."""

    manner: Manner
    wanted_bytes: int
    asked_bytes: int = 0
    answered_bytes: int = 0
    began_s: float = 0.0
    """When the answer before its first one came."""

    @property
    def is_whole(self) -> bool:
        """Whether all of it was asked and answered."""
        return self.asked_bytes >= self.wanted_bytes and self.answered_bytes >= self.asked_bytes


@dataclass(slots=True)
class _Cost:
    """What slices of a manner took."""

    bytes: int = 0
    seconds: float = 0.0

    @property
    def bytes_per_s(self) -> float:
        return self.bytes / max(self.seconds, 1e-6)


@dataclass(slots=True)
class _Trial:
    """One comparison of manners."""

    manners: Sequence[Manner]
    slices_bytes: Sequence[int]
    """Of each round."""
    costs: dict[Manner, _Cost] = field(default_factory=dict)
    slices: list[Slice] = field(default_factory=list)

    def plan(self) -> Iterator[tuple[Manner, int]]:
        """Yield what to send next; what has shown to be hopeless is left out."""
        for turn, slice_bytes in enumerate(self.slices_bytes):
            for manner in self.manners:
                if not turn or not self._is_hopeless(manner):
                    yield manner, slice_bytes

    def best(self) -> Manner:
        """Return the simplest manner that is about as fast as the fastest."""
        known = [manner for manner in self.manners if manner in self.costs]
        top = max(self.costs[manner].bytes_per_s for manner in known)
        return next(manner for manner in known if self.costs[manner].bytes_per_s * _AS_GOOD >= top)

    @property
    def is_about_buffers(self) -> bool:
        """Whether it compares sessions with different buffers."""
        return len({manner.buffer_bytes for manner in self.manners}) > 1

    def _is_hopeless(self, manner: Manner) -> bool:
        cost = self.costs.get(manner)
        top = max((known.bytes_per_s for known in self.costs.values()), default=0.0)
        return cost is not None and cost.bytes_per_s < top * _HOPELESS


class Tuner:
    """Decides in which manner each request of one disk is sent.

    Thread: one at a time.
    """

    def __init__(
        self,
        options: TransportOptions,
        capacity_bytes: int,
        report: Callable[[Message], None],
        now: Callable[[], float] = time.monotonic,
        *,
        direction: Direction = READING,
        buffers: Sequence[int] = (),
    ) -> None:
        """Begin with what is fixed, or with measuring.

        Args:
            options: its ``compression`` fixes the packing; None measures.
            capacity_bytes: size of the disk.
            report: takes lines for the task's log.
            now: a stopwatch.
            direction: whether the disk is read or written.
            buffers: sizes of buffers to compare, that of the session first.
        """
        self._chosen = direction.chosen
        self._packings = direction.packings
        self._buffers = buffers
        self._report = report
        self._now = now
        self._most_bytes = options.transfer_buffer_bytes
        self._manner = Manner(options.compression or Compression.NONE, self._most_bytes)
        self._measures = options.compression is None and capacity_bytes >= WORTH_BYTES
        self._has_measured = False
        self._busy_s = 0.0
        """For how long answers were waited for."""
        self._trial: _Trial | None = None
        self._plan: Iterator[tuple[Manner, int]] = iter(())
        self._slice = Slice(self._manner, _WATCHED_BYTES)
        self._last_s: float | None = None
        """When the last answer came, or the first request was sent."""
        self._since_bytes = 0
        self._usual: float | None = None
        self._odd_slices = 0
        self._shares: dict[Compression, float] = {}
        """What part of its bytes travels in each packing, of late."""

    @property
    def manner(self) -> Manner:
        """How the next request is sent."""
        return self._slice.manner

    @property
    def ahead_bytes(self) -> int:
        """How many bytes may be asked for ahead: as many as travel as the bytes in flight, packed as they come."""
        manner = self.manner
        share = self._shares.get(manner.compression, 1.0)
        return int(manner.in_flight_bytes / max(share, _SMALLEST_SHARE))

    def asked(self, length_bytes: int) -> Slice:
        """Count a request that is sent now; return what its answer is counted for."""
        if self._last_s is None:
            self._last_s = self._now()
        current = self._slice
        current.asked_bytes += length_bytes
        if current.asked_bytes >= current.wanted_bytes:
            self._begin_slice()
        return current

    def answered(self, asked: Slice, length_bytes: int, packed_bytes: int) -> None:
        """Count an answer, and decide when a slice is whole.

        Args:
            asked: what :meth:`asked` returned for the request.
            length_bytes: of the request.
            packed_bytes: what travelled for it.
        """
        now, packing = self._now(), asked.manner.compression
        share = packed_bytes / max(1, length_bytes)
        self._shares[packing] = share + (self._shares.get(packing, 1.0) - share) * _SHARE_KEPT
        if not asked.answered_bytes:
            asked.began_s = now if self._last_s is None else self._last_s
        asked.answered_bytes += length_bytes
        self._busy_s += 0.0 if self._last_s is None else now - self._last_s
        self._last_s = now
        if self._measures and not self._has_measured and self._busy_s >= WORTH_S:
            self._compare_packings(_FIRST_ROUNDS)
            return
        if not asked.is_whole:
            return
        took_s, trial = now - asked.began_s, self._trial
        if trial is None:
            self._watch(asked, took_s)
            return
        cost = trial.costs.setdefault(asked.manner, _Cost())
        cost.bytes += asked.answered_bytes
        cost.seconds += took_s
        if asked is trial.slices[-1] and asked is not self._slice:
            self._conclude(trial)

    def interrupted(self) -> None:
        """Forget what was under way: the connection was lost, and what is asked again is no measure."""
        self._last_s = None
        trial = self._trial
        if trial is None:
            self._slice = Slice(self._manner, _WATCHED_BYTES)
            return
        self._begin_slice()
        if self._slice in trial.slices:
            return
        if trial.costs:
            self._conclude(trial)
        else:
            self._trial = None

    def refused(self, asked: Slice) -> None:
        """Do without a packing whose first request was refused: the host may not know it.

        Args:
            asked: what :meth:`asked` returned for the request.
        """
        packing, trial = asked.manner.compression, self._trial
        is_proven = trial is None or any(manner.compression is packing for manner in trial.costs)
        if is_proven or packing not in self._packings or packing is Compression.NONE:
            return
        self._packings = tuple(other for other in self._packings if other is not packing)
        self._report(messages.PACKING_REFUSED.fill(packing=messages.PACKINGS[packing]))
        self._compare_packings(_FIRST_ROUNDS)

    def paused(self) -> None:
        """Stop the watch until the next request: nobody reads."""
        self._last_s = None

    def back_off(self) -> None:
        """Ask for half as much at once: the host has no memory for more."""
        self._most_bytes = max(_LEAST_IN_FLIGHT_BYTES, self._manner.in_flight_bytes // 2)
        self._manner = replace(self._manner, in_flight_bytes=self._most_bytes)
        self._report(messages.BACKED_OFF.fill(bytes=self._most_bytes))
        if self._trial is not None:
            lowered = [replace(one, in_flight_bytes=self._most_bytes) for one in self._trial.manners]
            self._compare(list(dict.fromkeys(lowered)), self._trial.slices_bytes)
        else:
            self._slice = Slice(self._manner, _WATCHED_BYTES)

    def _compare_packings(self, slices_bytes: Sequence[int]) -> None:
        self._has_measured = True
        like = replace(self._manner, in_flight_bytes=self._most_bytes)
        self._compare([replace(like, compression=one) for one in self._packings], slices_bytes)

    def _compare_buffers(self) -> None:
        sizes, self._buffers = self._buffers, ()
        self._compare([replace(self._manner, buffer_bytes=size) for size in sizes], (_BUFFER_SLICE_BYTES,))

    def _compare(self, manners: Sequence[Manner], slices_bytes: Sequence[int]) -> None:
        self._trial = _Trial(manners, slices_bytes)
        self._plan = self._trial.plan()
        self._begin_slice()

    def _begin_slice(self) -> None:
        following = next(self._plan, None)
        if following is None:
            self._slice = Slice(self._best_so_far(), _WATCHED_BYTES)
            return
        manner, wanted_bytes = following
        self._slice = Slice(manner, wanted_bytes)
        if self._trial is not None:
            self._trial.slices.append(self._slice)

    def _best_so_far(self) -> Manner:
        if self._trial is None or not self._trial.costs:
            return self._manner
        # Another session is opened for what has been chosen, not for a guess.
        return self._slice.manner if self._trial.is_about_buffers else self._trial.best()

    def _conclude(self, trial: _Trial) -> None:
        """Take the best manner; after the packings, less in flight is compared with it."""
        best = trial.best()
        packings = {manner.compression for manner in trial.manners}
        less = replace(best, in_flight_bytes=max(_LEAST_IN_FLIGHT_BYTES, self._most_bytes // 4))
        if len(packings) > 1 and less.in_flight_bytes < best.in_flight_bytes:
            self._note_packings(trial, best)
            self._compare([less, best], _LATER_ROUNDS)
            return
        self._trial, self._usual, self._odd_slices, self._since_bytes = None, None, 0, 0
        if trial.is_about_buffers:
            self._note_buffers(trial, best)
        elif best != self._manner:
            self._report(self._chosen.fill(manner=best))
        self._manner = best
        self._slice = Slice(best, _WATCHED_BYTES)

    def _note_packings(self, trial: _Trial, best: Manner) -> None:
        measured = [
            messages.MEASURED.fill(
                packing=messages.PACKINGS[manner.compression], bytes_per_s=round(cost.bytes_per_s)
            )
            for manner, cost in trial.costs.items()
        ]
        self._report(
            messages.PACKING_CHOSEN.fill(packing=messages.PACKINGS[best.compression], measured=listed(measured))
        )

    def _note_buffers(self, trial: _Trial, best: Manner) -> None:
        measured = [
            messages.MEASURED_BUFFERS.fill(bytes=manner.buffer_bytes, bytes_per_s=round(cost.bytes_per_s))
            for manner, cost in trial.costs.items()
        ]
        self._report(messages.BUFFERS_CHOSEN.fill(bytes=best.buffer_bytes, measured=listed(measured)))

    def _watch(self, slice_: Slice, took_s: float) -> None:
        """Look whether the speed has changed for good, and measure again if it has."""
        speed = slice_.answered_bytes / max(took_s, 1e-6)
        self._since_bytes += slice_.answered_bytes
        if self._usual is None:
            self._usual = speed
            return
        is_odd = not self._usual / _CHANGED < speed < self._usual * _CHANGED
        self._odd_slices = self._odd_slices + 1 if is_odd else 0
        if not self._measures:
            return
        if self._odd_slices > 1 and self._since_bytes >= _SETTLED_BYTES:
            self._compare_packings(_LATER_ROUNDS)
        elif len(self._buffers) > 1 and self._since_bytes >= REOPENED_AFTER_BYTES:
            self._compare_buffers()
