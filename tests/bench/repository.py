"""How fast the repository stores, restores and verifies a disk, beside its peers in the same run.

All contenders take their turn in every round, another one first each time, on the same warm images; the figures
are medians, and their CPU seconds are those of the process and its children. Who the peers are, how they come here
and what they are asked is told in ``tests/bench/peers.py``; what the disk holds in ``tests/bench/corpus.py``.

Run by ``./dev bench repository [--size-gib 2] [--rounds 3] [--folder F] [--no-page]``. The images are kept in
``.cache/bench`` for the next run, or in the folder.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.corpus import Corpus, corpus_of, corpus_options, data_extents
from tests.bench.page import circumstances, write_section
from tests.bench.peers import CACHE, ROOT, Contender, Step, everybody, install
from tests.bench.random_reads import bare_iops, nbd_iops, our_iops, places
from tests.bench.repository_report import BARE, US, WARM, Measured, Results, report

DEPTHS = (1, 16)


def tree_bytes(path: Path) -> int:
    """Return the bytes of all files below a path, 0 when there is nothing."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def run(contender: Contender, step: Step, scratch: Path) -> Measured:
    """Run one step and measure it."""
    before = tree_bytes(contender.store)
    environment = {**os.environ, **contender.environment}
    told, used = scratch / "told", scratch / "used"
    command = [sys.executable, "-I", "-S", str(ROOT / "tests/bench/usage.py"), str(used), *step.command]
    with told.open("wb") as out:
        status = subprocess.run(command, cwd=ROOT, env=environment, stdout=out, stderr=out, check=False).returncode
    text = told.read_text(errors="replace")
    if status:
        raise SystemExit(f"{contender.name}, {step.name}: {text[-2000:]}")
    usage = json.loads(used.read_text())
    inside = json.loads(text) if contender.name.startswith("standfast") else {}
    return Measured(
        **usage,
        stored_bytes=tree_bytes(contender.store) - before,
        inside_s=inside.get("seconds", usage["wall_s"]),
        read_bytes=inside.get("read_bytes", 0),
    )


def measure(work: Path, corpus: Corpus, images: Path, rounds: int, missing: Sequence[str]) -> Results:
    """Let everybody take his turn in every round."""
    results = Results()
    contenders = everybody(work, corpus, images, missing)
    for number in range(rounds):
        # Whoever comes first after a round takes memory that the machine has to find again: another each time.
        first = number % len(contenders)
        for contender in contenders[first:] + contenders[:first]:
            for step in contender.steps:
                if number and not step.every_round:
                    continue
                subprocess.run(["cat", *_sources(step, corpus)], stdout=subprocess.DEVNULL, check=True)
                (work / "out.img").unlink(missing_ok=True)
                measured = run(contender, step, work)
                results.add(contender.name, step.name, measured)
                print(
                    f"round {number + 1} {contender.name:20} {step.name:16} {measured.wall_s:7.2f} s", flush=True
                )
            remove_all(work, keep=[other.store for other in contenders if other.keep_store])
        if "qemu-img" not in missing:
            read_at_random(work, corpus, number, results)
        remove_all(work, keep=())
    return results


def _sources(step: Step, corpus: Corpus) -> list[str]:
    """Return the image that a step reads, to have it in the page cache for everybody alike."""
    return [str(image) for image in (corpus.base, corpus.day, corpus.clone) if str(image) in step.command] or [
        "/dev/null"
    ]


def read_at_random(work: Path, corpus: Corpus, seed: int, results: Results) -> None:
    """Let the reader API and qemu-nbd read the same cold pages."""
    offsets = places(data_extents(corpus.base), seed)
    for depth in DEPTHS:
        for who, iops in (
            ("standfast", our_iops(work / "ours", offsets, depth)),
            ("qemu-img", nbd_iops(work / "disk.qcow2", offsets, depth, work)),
        ):
            results.add_iops(who, depth, iops)
            print(f"round {seed + 1} {who:20} QD{depth:<6} {iops:7.0f} reads/s", flush=True)
    results.add_iops(US, WARM, our_iops(work / "ours", offsets, 16, is_warm=True))
    results.add_iops(BARE, WARM, bare_iops(work / "ours", offsets))


def remove_all(work: Path, *, keep: Sequence[Path]) -> None:
    """Make room for the next one, and let the disk catch up."""
    for path in work.iterdir():
        if any(kept == path or path in kept.parents for kept in keep):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    os.sync()


def main() -> None:
    """Measure and write the section of ``docs/performance.md``."""
    options = corpus_options("Measure the repository beside its peers.", gib=2, folder=CACHE)
    missing = install()
    started = time.monotonic()
    images, corpus = corpus_of(options)
    with tempfile.TemporaryDirectory(prefix="run-", dir=options.folder) as work:
        results = measure(Path(work), corpus, images, options.rounds, missing)
    command = f"./dev bench repository --size-gib {options.size_gib:g} --rounds {options.rounds}"
    absent = f" Not installed and left out: {', '.join(missing)}." if missing else ""
    text = (
        f"An image of {options.size_gib:g} GiB with {corpus.data_bytes / 1e9:.2f} GB of data, then "
        f"{corpus.changed_bytes / 1e6:.0f} MB changed in clusters, then a clone that differs by 10 %; medians of "
        f"{options.rounds} rounds, in each of which all take their turn. What each is asked: "
        f"`tests/bench/peers.py`.{absent}\n\n{report(results, corpus)}\n\n"
        f"{circumstances(command)} The run took {(time.monotonic() - started) / 60:.0f} minutes; the load of its "
        f"{len(results.loads)} steps was {min(results.loads):.1f} to {max(results.loads):.1f} on "
        f"{os.cpu_count()} cores."
    )
    print(text)
    if not options.no_page:
        write_section("repository", "Storing, restoring and verifying disks", text)


if __name__ == "__main__":
    main()
