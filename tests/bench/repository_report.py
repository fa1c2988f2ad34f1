"""What the repository's benchmark found, beside its goals."""

import os
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench.corpus import Corpus
from tests.bench.peers import TOGETHER

MIB = 1 << 20
US = "standfast"
_PEAK_GOAL_MIB = 120
BARE = "bare loop"
WARM = -16
"""Sixteen reads in flight, everything in the page cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One step of one contender in one round."""

    wall_s: float
    user_s: float
    system_s: float
    stored_bytes: int
    peak_bytes: int
    inside_s: float
    """Seconds without starting an interpreter and opening the repository; ours only."""
    read_bytes: int

    @property
    def cpu_s(self) -> float:
        """CPU seconds, of the process and the kernel for it."""
        return self.user_s + self.system_s


@dataclass
class Results:
    """Everything that was measured, by contender and step."""

    rounds: dict[tuple[str, str], list[Measured]] = field(default_factory=lambda: defaultdict(list))
    iops: dict[tuple[str, int], list[float]] = field(default_factory=lambda: defaultdict(list))
    loads: list[float] = field(default_factory=list)

    def add(self, who: str, step: str, measured: Measured) -> None:
        """Take in one step, and how busy the machine was."""
        self.rounds[who, step].append(measured)
        if hasattr(os, "getloadavg"):
            self.loads.append(os.getloadavg()[0])

    def add_iops(self, who: str, depth: int, reads_per_s: float) -> None:
        """Take in random reads."""
        self.iops[who, depth].append(reads_per_s)

    def median(self, who: str, step: str, what: str) -> float | None:
        """Return the median of one figure, None when it was not measured."""
        values = [getattr(round_, what) for round_ in self.rounds.get((who, step), [])]
        return statistics.median(values) if values else None


@dataclass(frozen=True, slots=True)
class Ratio:
    """A goal: our figure to another's, at most so much."""

    title: str
    step: str
    what: str
    peer: str
    peer_step: str
    goal: float | None
    """None: reported only."""
    us: str = US


ZSTD = "zstd -1 -T2"
SYNCED = "restore, synced"
RATIOS = (
    Ratio("full, wall, to restic", "full", "wall_s", "restic", "full", 0.28),
    Ratio("full, wall, to borg", "full", "wall_s", "borg", "full", 0.50),
    Ratio("full, wall, to zstd -1 -T2", "full", "wall_s", ZSTD, "full", 0.75),
    Ratio("full, wall, to desync", "full", "wall_s", "desync", "full", None),
    Ratio("full, stored, to restic", "full", "stored_bytes", "restic", "full", 1.10),
    Ratio("full, stored, to desync", "full", "stored_bytes", "desync", "full", None),
    Ratio("CBT incremental, wall, to restic's second", "second", "inside_s", "restic", "second", 0.03),
    Ratio("clone, stored, to restic", "clone", "stored_bytes", "restic", "clone", None),
    Ratio("verified restore, wall, to restic", "restore", "wall_s", "restic", "restore", 0.28),
    Ratio("verified restore, wall, to qemu-img, both durable", "restore", "wall_s", "qemu-img", SYNCED, 0.45),
    Ratio("verified restore, wall, to borg", "restore", "wall_s", "borg", "restore", None),
    Ratio("verified restore, wall, to desync", "restore", "wall_s", "desync", "restore", None),
    Ratio("verify everything, wall, to restic's", "verify", "wall_s", "restic", "verify", 0.5),
    Ratio("full, wall, encrypted to not", "full", "inside_s", US, "full", None, "standfast, encrypted"),
    Ratio("full, wall, by eight tasks to one", "full", "inside_s", US, "full", None, TOGETHER),
)
_IOPS_GOALS = {1: 1.3, 16: 0.9}
_WARM_GOAL = 0.6
_STORED_GOAL = 0.70
_TOGETHER_GOAL = 830


def report(results: Results, corpus: Corpus) -> str:
    """Write the tables."""
    return "\n".join([*_figures(results), "", *_iops(results), "", *_goals(results, corpus)])


def _figures(results: Results) -> Iterator[str]:
    yield "| contender | step | wall s | user CPU s | system CPU s | stored MB | peak MiB |"
    yield "|---|---|---|---|---|---|---|"
    for who, step in results.rounds:
        if step == "init":
            continue
        seconds = [results.median(who, step, what) or 0 for what in ("wall_s", "user_s", "system_s")]
        stored = results.median(who, step, "stored_bytes") or 0
        peak = results.median(who, step, "peak_bytes") or 0
        figures = " | ".join(f"{second:.2f}" for second in seconds)
        yield f"| {who} | {step} | {figures} | {stored / 1e6:.0f} | {peak / MIB:.0f} |"


def _iops(results: Results) -> Iterator[str]:
    if not results.iops:
        return
    yield "| random reads of 4 KiB | reads/s |"
    yield "|---|---|"
    names = {US: "reader API", BARE: "two threads of pread, zstd and BLAKE3"}
    for (who, depth), values in results.iops.items():
        name = names.get(who, "qemu-nbd on a zstd qcow2")
        how = f"{abs(depth)} in flight, {'warm' if depth < 0 else 'cold'}" if who != BARE else "warm"
        yield f"| {name}, {how} | {statistics.median(values):.0f} |"


def _goals(results: Results, corpus: Corpus) -> Iterator[str]:
    yield "| what | measured | asked for | | the same in CPU seconds |"
    yield "|---|---|---|---|---|"
    for ratio in RATIOS:
        measured = _of(results, ratio, ratio.what)
        if measured is not None:
            cpu = _of(results, ratio, "cpu_s") if ratio.what in ("wall_s", "inside_s") else None
            yield _row(ratio.title, measured, ratio.goal, cpu)
    read, stored = results.median(US, "second", "read_bytes"), results.median(US, "second", "stored_bytes")
    if read is not None and stored is not None:
        yield _row("bytes read by the CBT incremental, to bytes changed", read / corpus.changed_bytes, 1.01)
        yield _row("stored by it, to bytes changed", stored / corpus.changed_bytes, _STORED_GOAL)
    peak = max(
        (round_.peak_bytes for key, all_ in results.rounds.items() if key[0].startswith(US) for round_ in all_)
    )
    yield _row("peak memory of our processes, MiB", peak / MIB, _PEAK_GOAL_MIB)
    together = results.median(TOGETHER, "full", "inside_s")
    if together is not None:
        speed = corpus.data_bytes / together / 1e6
        yield _row("eight tasks at once in one process, MB/s", speed, _TOGETHER_GOAL, at_least=True)
    for depth, goal in _IOPS_GOALS.items():
        measured = _iops_ratio(results, depth, ("qemu-img", depth))
        if measured is not None:
            yield _row(f"cold random reads, to qemu-nbd, {depth} in flight", measured, goal, at_least=True)
    warm = _iops_ratio(results, WARM, (BARE, WARM))
    if warm is not None:
        yield _row("warm random reads, 16 in flight, to the bare loop", warm, _WARM_GOAL, at_least=True)


def _iops_ratio(results: Results, depth: int, peer: tuple[str, int]) -> float | None:
    ours, theirs = results.iops.get((US, depth)), results.iops.get(peer)
    return statistics.median(ours) / statistics.median(theirs) if ours and theirs else None


def _of(results: Results, ratio: Ratio, what: str) -> float | None:
    mine = results.median(ratio.us, ratio.step, what)
    theirs = results.median(ratio.peer, ratio.peer_step, what)
    return mine / theirs if mine is not None and theirs else None


def _row(
    title: str, measured: float, goal: float | None, cpu: float | None = None, *, at_least: bool = False
) -> str:
    shown = f"{measured:.3f}" if goal is None or goal < 10 else f"{measured:.0f}"
    asked = verdict = ""
    if goal is not None:
        asked = f"{'≥' if at_least else '≤'} {goal:g}"
        verdict = "met" if (measured >= goal if at_least else measured <= goal) else "**missed**"
    cells = (title, shown, asked, verdict, "" if cpu is None else f"{cpu:.2f}")
    return f"| {' | '.join(cells)} |"
