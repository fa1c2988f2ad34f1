"""How fast the repository stores, restores and verifies a disk, beside its peers in the same run.

All contenders take their turn in every round, on the same warm images; the figures are medians, and their CPU
seconds are those of the process and its children. Peers that are not installed are left out (restic, borg,
qemu-img, zstd). Peers are called without encryption and with zstd level 1 where they let one choose.

Run by ``./dev bench repository``, or ``python -m tests.bench.repository [--gib N] [--rounds N] [--folder F]``.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.corpus import Corpus, make_corpus
from tests.bench.page import circumstances, write_section

MIB = 1 << 20
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Measured:
    """One step of one contender in one round."""

    wall_s: float
    user_s: float
    stored_bytes: int = 0
    peak_bytes: int = 0


@dataclass
class Results:
    """Everything that was measured, by contender and step."""

    rounds: dict[tuple[str, str], list[Measured]] = field(default_factory=lambda: defaultdict(list))

    def median(self, who: str, step: str, what: str) -> float | None:
        """Return the median of one figure, None when it was not measured."""
        values = [getattr(one, what) for one in self.rounds.get((who, step), [])]
        return statistics.median(values) if values else None


@dataclass(frozen=True, slots=True)
class Contender:
    """A program and what it is asked to do: step names to command lines, in order."""

    name: str
    store: Path
    steps: tuple[tuple[str, Sequence[str]], ...]
    environment: dict[str, str] = field(default_factory=dict)
    available: Callable[[], bool] = lambda: True


def tree_bytes(path: Path) -> int:
    """Return the bytes of all files below a path."""
    if path.is_file():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())


def run(contender: Contender, step: str, command: Sequence[str]) -> Measured:
    """Run one step and measure it."""
    before = tree_bytes(contender.store) if contender.store.exists() else 0
    environment = {**os.environ, **contender.environment}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    wall = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{contender.name}, {step}: {complaint.decode(errors='replace')[-2000:]}")
    after = tree_bytes(contender.store) if contender.store.exists() else 0
    return Measured(wall, usage.ru_utime, after - before, usage.ru_maxrss * 1024)


def ours(work: Path, corpus: Corpus, images: Path) -> Contender:
    """The repository of this product, in a process of its own like the others."""
    base = [sys.executable, "-m", "tests.bench.repository_job", str(work / "ours")]
    changes = str(images / "corpus.json")
    return Contender(
        "standfast",
        work / "ours" / "standby",
        (
            ("full", [*base, "full", str(corpus.base)]),
            ("second", [*base, "incremental", str(corpus.day), changes]),
            ("clone", [*base, "full", str(corpus.clone)]),
            ("restore", [*base, "restore", str(work / "out.img")]),
            ("verify", [*base, "verify"]),
        ),
    )


def peers(work: Path, corpus: Corpus) -> list[Contender]:
    """The programs that people use instead."""
    restic, borg = ["restic", "-q", "-r", str(work / "restic")], ["borg", "--umask", "0022"]
    options = ["-C", "zstd,1", "--chunker-params", "fixed,1048576"]
    qcow = str(work / "disk.qcow2")
    return [
        Contender(
            "restic",
            work / "restic",
            (
                ("init", [*restic, "init"]),
                ("full", [*restic, "backup", str(corpus.base)]),
                ("second", [*restic, "backup", str(corpus.day)]),
                ("clone", [*restic, "backup", str(corpus.clone)]),
                (
                    "restore",
                    [*restic, "restore", "latest", "--path", str(corpus.base), "--target", str(work / "out")],
                ),
                ("verify", [*restic, "check", "--read-data"]),
            ),
            {"RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": str(work / "restic-cache")},
            lambda: shutil.which("restic") is not None,
        ),
        Contender(
            "borg",
            work / "borg",
            (
                ("init", [*borg, "init", "-e", "none", str(work / "borg")]),
                ("full", [*borg, "create", *options, f"{work / 'borg'}::base", str(corpus.base)]),
                ("second", [*borg, "create", *options, f"{work / 'borg'}::day", str(corpus.day)]),
                ("clone", [*borg, "create", *options, f"{work / 'borg'}::clone", str(corpus.clone)]),
                (
                    "restore",
                    ["sh", "-c", f"mkdir -p {work}/out && cd {work}/out && borg extract {work}/borg::base"],
                ),
            ),
            {
                "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
                "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
                "BORG_BASE_DIR": str(work / "borg-home"),
            },
            lambda: shutil.which("borg") is not None,
        ),
        Contender(
            "qemu-img",
            work / "disk.qcow2",
            (
                (
                    "full",
                    [
                        "qemu-img",
                        "convert",
                        "-O",
                        "qcow2",
                        "-c",
                        "-o",
                        "compression_type=zstd",
                        str(corpus.base),
                        qcow,
                    ],
                ),
                ("restore", ["qemu-img", "convert", "-O", "raw", qcow, str(work / "out.img")]),
            ),
            available=lambda: shutil.which("qemu-img") is not None,
        ),
        Contender(
            "zstd -1 -T2",
            work / "disk.zst",
            (
                ("full", ["zstd", "-q", "-f", "-1", "-T2", str(corpus.base), "-o", str(work / "disk.zst")]),
                ("restore", ["zstd", "-q", "-f", "-d", str(work / "disk.zst"), "-o", str(work / "out.img")]),
            ),
            available=lambda: shutil.which("zstd") is not None,
        ),
    ]


def measure(work: Path, corpus: Corpus, images: Path, rounds: int) -> Results:
    """Let everybody take his turn in every round."""
    results = Results()
    everybody = [ours(work, corpus, images), *peers(work, corpus)]
    for path in (corpus.base, corpus.day, corpus.clone):
        subprocess.run(["cat", str(path)], stdout=subprocess.DEVNULL, check=True)
    for number in range(rounds):
        for contender in (one for one in everybody if one.available()):
            for step, command in contender.steps:
                measured = run(contender, step, command)
                results.rounds[contender.name, step].append(measured)
                print(f"round {number + 1} {contender.name:12} {step:8} {measured.wall_s:7.2f} s", flush=True)
            remove_all(work)
    return results


def remove_all(work: Path) -> None:
    """Make room for the next one, and let the disk catch up."""
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    os.sync()


_GOALS = (
    ("full, wall, to borg", "full", "wall_s", "borg", "full", 0.50),
    ("full, wall, to restic", "full", "wall_s", "restic", "full", 0.22),
    ("full, wall, to zstd -1 -T2", "full", "wall_s", "zstd -1 -T2", "full", 0.70),
    ("full, user CPU, to borg", "full", "user_s", "borg", "full", 0.80),
    ("full, stored, to zstd -1", "full", "stored_bytes", "zstd -1 -T2", "full", 1.03),
    ("full, stored, to restic", "full", "stored_bytes", "restic", "full", 1.15),
    ("CBT incremental, wall, to own full", "second", "wall_s", "standfast", "full", 0.12),
    ("CBT incremental, wall, to restic's second", "second", "wall_s", "restic", "second", 0.04),
    ("clone, stored, to restic", "clone", "stored_bytes", "restic", "clone", 1.0),
    ("restore with verification, wall, to qemu-img", "restore", "wall_s", "qemu-img", "restore", 0.45),
    ("restore with verification, wall, to borg", "restore", "wall_s", "borg", "restore", 0.35),
    ("restore with verification, wall, to restic", "restore", "wall_s", "restic", "restore", 0.45),
    ("verify everything, wall, to restic check --read-data", "verify", "wall_s", "restic", "verify", 0.3),
)


def report(results: Results, corpus: Corpus) -> str:
    """Write the tables."""
    lines = ["| contender | step | wall s | user CPU s | stored MB | peak MiB |", "|---|---|---|---|---|---|"]
    for who, step in results.rounds:
        wall, user = results.median(who, step, "wall_s"), results.median(who, step, "user_s")
        stored, peak = results.median(who, step, "stored_bytes"), results.median(who, step, "peak_bytes")
        if step != "init":
            figures = f"{wall:.2f} | {user:.2f} | {(stored or 0) / 1e6:.0f} | {(peak or 0) / MIB:.0f}"
            lines.append(f"| {who} | {step} | {figures} |")
    lines += ["", "| ratio | measured | goal | |", "|---|---|---|---|"]
    for title, step, what, who, peer_step, goal in _GOALS:
        mine, theirs = results.median("standfast", step, what), results.median(who, peer_step, what)
        if mine is not None and theirs:
            lines.append(
                f"| {title} | {mine / theirs:.3f} | {goal} | {'met' if mine / theirs <= goal else 'missed'} |"
            )
    stored = results.median("standfast", "second", "stored_bytes")
    if stored is not None:
        ratio = stored / corpus.changed_bytes
        verdict = "met" if ratio <= 1.05 else "missed"
        lines.append(f"| stored by the CBT incremental, to bytes changed | {ratio:.3f} | 1.05 | {verdict} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write the section of ``docs/performance.md``."""
    parser = argparse.ArgumentParser(description="Measure the repository beside its peers.")
    parser.add_argument("--gib", type=float, default=8, help="size of the disk images")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, help="where the images are made and kept (default: a temporary one)"
    )
    parser.add_argument("--no-page", action="store_true", help="print only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="standfast-bench-", dir=options.folder) as work:
        images = options.folder / "images" if options.folder else Path(work) / "images"
        make = [sys.executable, "-m", "tests.bench.corpus", str(images), "--gib", str(options.gib)]
        subprocess.run(make, cwd=ROOT, check=True)  # elsewhere: a child's peak memory begins with its parent's
        corpus = make_corpus(images, gib=options.gib)
        room = Path(work) / "work"
        room.mkdir()
        results = measure(room, corpus, images, options.rounds)
    command = f"./dev bench repository --gib {options.gib:g} --rounds {options.rounds}"
    text = (
        f"An image of {options.gib:g} GiB with {corpus.data_bytes / 1e9:.2f} GB of data, then "
        f"{corpus.changed_bytes / 1e6:.0f} MB changed, then a clone that differs by 10 %; medians of "
        f"{options.rounds} rounds. What each contender is asked is told in `tests/bench/repository.py`.\n\n"
        f"{report(results, corpus)}\n\n{circumstances(command)}"
    )
    print(text)
    if not options.no_page:
        write_section("repository", "Storing, restoring and verifying disks", text)


if __name__ == "__main__":
    main()
