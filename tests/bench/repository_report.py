"""What the repository's benchmark found, beside its goals."""

import os
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench.corpus import Corpus

MIB = 1 << 20
US = "standfast"
_PEAK_GOAL_MIB = 190.7
"""200 MB."""


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
    goal: float
    limit: str = ""
    """What is in the way when the goal is missed."""
    us: str = US


ZSTD = "zstd -1 -T2"
SYNCED = "restore, synced"
_SHARE = "CPU: zstd and BLAKE3 keep all cores busy; next to other work the ratio goes to that of CPU seconds"
_DISK = "the disk: ours is durable at its end, theirs lies in the page cache; see the next line"
_DECODING = (
    "CPU: every frame is decompressed and compared; next to other work the ratio goes to that of CPU seconds"
)
_START = "the interpreter: its start and imports take 0.4 s, which the running console does not pay"
_FIXED = "restic cuts where the content says and finds data that moved; change tracking wants fixed chunks"
_WHOLE_CHUNKS = "a chunk of 1 MiB is stored again with all its frames, also those that did not change"
RATIOS = (
    Ratio("full, wall, to borg", "full", "wall_s", "borg", "full", 0.50, _SHARE),
    Ratio("full, wall, to restic", "full", "wall_s", "restic", "full", 0.22, _SHARE),
    Ratio("full, wall, to zstd -1 -T2", "full", "wall_s", ZSTD, "full", 0.70, _SHARE),
    Ratio("full, user CPU, to borg", "full", "user_s", "borg", "full", 0.80, _START),
    Ratio("full, stored, to zstd -1", "full", "stored_bytes", ZSTD, "full", 1.03),
    Ratio("full, stored, to restic", "full", "stored_bytes", "restic", "full", 1.15, _FIXED),
    Ratio("CBT incremental, wall, to own full", "second", "inside_s", US, "full", 0.12, _WHOLE_CHUNKS),
    Ratio("CBT incremental, wall, to restic's second", "second", "wall_s", "restic", "second", 0.04, _START),
    Ratio("clone, stored, to restic", "clone", "stored_bytes", "restic", "clone", 1.0),
    Ratio("verified restore, wall, to qemu-img", "restore", "wall_s", "qemu-img", "restore", 0.45, _DISK),
    Ratio("the same, both durable at the end", "restore", "wall_s", "qemu-img", SYNCED, 0.45, _DECODING),
    Ratio("verified restore, wall, to borg", "restore", "wall_s", "borg", "restore", 0.35, _DECODING),
    Ratio("verified restore, wall, to restic", "restore", "wall_s", "restic", "restore", 0.45, _DECODING),
    Ratio("verify everything, wall, to restic's", "verify", "wall_s", "restic", "verify", 0.3, _DECODING),
    Ratio("full, wall, encrypted to not", "full", "inside_s", US, "full", 1.10, _SHARE, "standfast, encrypted"),
)
_RANDOM_LIMIT = {
    1: "the first read in a chunk also reads its frame table, where qcow2 has its tables in one place",
    16: "CPU: Python's part of a read takes one thread at a time",
}
_IOPS_GOALS = {1: 1.0, 16: 0.6}


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
    yield "| cold random reads of 4 KiB | reads/s |"
    yield "|---|---|"
    for (who, depth), values in results.iops.items():
        name = "reader API" if who == US else "qemu-nbd on a zstd qcow2"
        yield f"| {name}, {depth} in flight | {statistics.median(values):.0f} |"


def _goals(results: Results, corpus: Corpus) -> Iterator[str]:
    yield "| goal | measured | asked for | | the same in CPU seconds | what limits it |"
    yield "|---|---|---|---|---|---|"
    for ratio in RATIOS:
        measured = _of(results, ratio, ratio.what)
        if measured is not None:
            cpu = _of(results, ratio, "cpu_s") if ratio.what in ("wall_s", "inside_s") else None
            yield _row(ratio.title, measured, ratio.goal, cpu, limit=ratio.limit)
    read, stored = results.median(US, "second", "read_bytes"), results.median(US, "second", "stored_bytes")
    if read is not None and stored is not None:
        yield _row("bytes read by the CBT incremental, to bytes changed", read / corpus.changed_bytes, 1.01)
        yield _row("stored by it, to bytes changed", stored / corpus.changed_bytes, 1.05, limit=_WHOLE_CHUNKS)
    peak = max(
        (round_.peak_bytes for key, all_ in results.rounds.items() if key[0].startswith(US) for round_ in all_)
    )
    yield _row("peak memory of our processes, MiB", peak / MIB, _PEAK_GOAL_MIB)
    for depth, goal in _IOPS_GOALS.items():
        ours, theirs = results.iops.get((US, depth)), results.iops.get(("qemu-img", depth))
        if ours and theirs:
            measured = statistics.median(ours) / statistics.median(theirs)
            title = f"cold random reads, to qemu-nbd, {depth} in flight"
            yield _row(title, measured, goal, at_least=True, limit=_RANDOM_LIMIT[depth])


def _of(results: Results, ratio: Ratio, what: str) -> float | None:
    mine = results.median(ratio.us, ratio.step, what)
    theirs = results.median(ratio.peer, ratio.peer_step, what)
    return mine / theirs if mine is not None and theirs else None


def _row(
    title: str,
    measured: float,
    goal: float,
    cpu: float | None = None,
    *,
    at_least: bool = False,
    limit: str = "",
) -> str:
    is_met = measured >= goal if at_least else measured <= goal
    shown = f"{measured:.3f}" if goal < 10 else f"{measured:.0f}"
    asked = f"{'≥' if at_least else '≤'} {goal:g}"
    cells = (
        title,
        shown,
        asked,
        "met" if is_met else "**missed**",
        "" if cpu is None else f"{cpu:.2f}",
        "" if is_met else limit,
    )
    return f"| {' | '.join(cells)} |"
