"""What chunks and frames of other sizes cost and gain: the table behind ``docs/decisions/0022``.

Each pair of sizes stores the benchmark's disk whole and a day later, restores it, verifies the repository and
reads 4 KiB pages at random, cold and warm; all pairs take their turn in every round, another one first each time.

Run by ``./dev bench frames [--size-gib 8] [--rounds 3] [--folder F] [--no-page]``.
"""

import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.corpus import Corpus, corpus_of, corpus_options, data_extents
from tests.bench.page import circumstances, write_section
from tests.bench.peers import CACHE, Contender, Step
from tests.bench.random_reads import our_iops, places
from tests.bench.repository import remove_all, run, tree_bytes
from tests.bench.repository_report import WARM, Measured, Results

_MIB = 1 << 20
SIZES = tuple((chunk, frame) for chunk in (1024, 512) for frame in (128, 64, 32))
"""Chunk and frame, in KiB; the first pair is what the others are compared with."""


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of the table."""

    title: str
    value: Callable[[Results, str], float]
    format: str


def name_of(chunk: int, frame: int) -> str:
    """Return what a pair of sizes is called in the table."""
    return f"{chunk} / {frame}"


def contender_of(work: Path, corpus: Corpus, images: Path, chunk: int, frame: int) -> Contender:
    """Return our repository with other sizes."""
    folder = work / f"{chunk}-{frame}"
    sizes = ["--chunk-kib", str(chunk), "--frame-kib", str(frame)]
    base = [sys.executable, "-m", "tests.bench.repository_job", *sizes, str(folder)]
    return Contender(
        f"standfast {name_of(chunk, frame)}",
        folder / "standby",
        (
            Step("full", [*base, "full", str(corpus.base)]),
            Step("second", [*base, "incremental", str(corpus.day), str(images / "corpus.json")]),
            Step("restore", [*base, "restore", str(work / "out.img")]),
            Step("verify", [*base, "verify"]),
        ),
    )


def measure(work: Path, corpus: Corpus, images: Path, rounds: int) -> tuple[Results, dict[str, list[int]]]:
    """Let every pair take its turn in every round; return what was found, and the sizes of the locators."""
    results, locators = Results(), defaultdict[str, list[int]](list)
    contenders = [contender_of(work, corpus, images, *sizes) for sizes in SIZES]
    for number in range(rounds):
        first = number % len(contenders)
        for contender in contenders[first:] + contenders[:first]:
            for step in contender.steps:
                subprocess.run(["cat", str(corpus.base)], stdout=subprocess.DEVNULL, check=True)
                (work / "out.img").unlink(missing_ok=True)
                measured: Measured = run(contender, step, work)
                results.add(contender.name, step.name, measured)
                print(f"round {number + 1} {contender.name} {step.name} {measured.wall_s:.2f} s", flush=True)
            folder = contender.store.parent
            locators[contender.name].append(tree_bytes(folder / "local"))
            offsets = places(data_extents(corpus.base), number)
            for depth in (1, 16):
                results.add_iops(contender.name, depth, our_iops(folder, offsets, depth))
            results.add_iops(contender.name, WARM, our_iops(folder, offsets, 16, is_warm=True))
            remove_all(work, keep=())
    return results, locators


def table(results: Results, locators: dict[str, list[int]], corpus: Corpus) -> str:
    """Return the table: medians, and their ratios to the first row."""

    def median(step: str, what: str, unit: float = 1.0) -> Callable[[Results, str], float]:
        return lambda found, who: (found.median(who, step, what) or 0) / unit

    def reads(depth: int) -> Callable[[Results, str], float]:
        return lambda found, who: statistics.median(found.iops[who, depth])

    columns = [
        Column("full, s", median("full", "inside_s"), ".1f"),
        Column("full, CPU s", median("full", "cpu_s"), ".1f"),
        Column("full, MiB", median("full", "stored_bytes", _MIB), ".0f"),
        Column("increment, s", median("second", "inside_s"), ".2f"),
        Column("increment of the changed bytes", median("second", "stored_bytes", corpus.changed_bytes), ".2f"),
        Column("restore, s", median("restore", "inside_s"), ".1f"),
        Column("verify, s", median("verify", "inside_s"), ".1f"),
        Column("cold reads/s, depth 1", reads(1), ".0f"),
        Column("depth 16", reads(16), ".0f"),
        Column("warm, depth 16", reads(WARM), ".0f"),
        Column("locator, MiB", lambda _, who: statistics.median(locators[who]) / _MIB, ".1f"),
        Column("peak, MiB", median("full", "peak_bytes", _MIB), ".0f"),
    ]
    names = [f"standfast {name_of(*sizes)}" for sizes in SIZES]
    lines = ["| chunk / frame, KiB | " + " | ".join(column.title for column in columns) + " |"]
    lines.append("|" + "---|" * (len(columns) + 1))
    for name in names:
        cells = []
        for column in columns:
            value, usual = column.value(results, name), column.value(results, names[0])
            ratio = "" if name == names[0] or not usual else f" ({value / usual:.2f})"
            cells.append(f"{value:{column.format}}{ratio}")
        lines.append(f"| {name.removeprefix('standfast ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write the section of ``docs/performance.md``."""
    options = corpus_options("Compare sizes of chunks and frames.", gib=8, folder=CACHE)
    images, corpus = corpus_of(options)
    with tempfile.TemporaryDirectory(prefix="run-", dir=options.folder) as work:
        results, locators = measure(Path(work), corpus, images, options.rounds)
    text = (
        f"An image of {options.size_gib:g} GiB with {corpus.data_bytes / 1e9:.2f} GB of data, then "
        f"{corpus.changed_bytes / 1e6:.0f} MB changed in clusters; medians of {options.rounds} rounds, and in "
        f"brackets their ratio to the first row.\n\n{table(results, locators, corpus)}\n\n"
        f"{circumstances(f'./dev bench frames --size-gib {options.size_gib:g} --rounds {options.rounds}')}"
    )
    print(text)
    if not options.no_page:
        write_section("frames", "Sizes of chunks and frames", text)


if __name__ == "__main__":
    main()
