"""What packing by bottleneck gains over a line of 1 Gbit/s, and that it costs no time.

The benchmark's disk is stored whole from a reader that gives no more than the line would; with the level fixed and
with the level chosen by what holds the task up, in turn, each time in a repository of its own.

Run by ``./dev bench packing [--size-gib 2] [--rounds 3] [--folder F] [--no-page]``.
"""

import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.core.progress import Progress
from app.domain.states import BackupKind
from app.repository import DiskDraft, PointDraft, RepositorySettings
from tests.bench.corpus import corpus_of, corpus_options
from tests.bench.disk_files import ImageReader
from tests.bench.page import circumstances, write_section
from tests.bench.peers import CACHE
from tests.bench.repository_job import FACTS, KEY, opened

LINE_BYTES_PER_S = 117e6
"""What TCP brings over 1 Gbit/s."""
_FIXED, _AUTO = "level fixed (1)", "level by bottleneck"


@dataclass(frozen=True, slots=True)
class Stored:
    """One full backup."""

    seconds: float
    cpu_s: float
    stored_bytes: int
    harder: float
    """Share of the chunks' bytes that were packed harder."""


class LineReader(ImageReader):
    """An image that comes over a line."""

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Yield each request no earlier than the line would have brought it."""
        begun, brought = time.perf_counter(), 0
        for request in super().read_many(requests):
            brought += len(request.buffer)
            early_s = brought / LINE_BYTES_PER_S - (time.perf_counter() - begun)
            if early_s > 0:
                time.sleep(early_s)
            yield request


def store(image: Path, folder: Path, *, may_pack_harder: bool) -> Stored:
    """Store an image in a repository of its own."""
    reader = LineReader(image)
    folder.mkdir()
    with opened(folder, RepositorySettings(), encrypted=False) as repository:
        draft = PointDraft(
            rule_name="bench",
            facts=FACTS,
            kind=BackupKind.FULL,
            parent=None,
            consistent=True,
            created_at=datetime.now(UTC),
            may_pack_harder=may_pack_harder,
        )
        disk = DiskDraft(
            key=KEY,
            label="disk",
            uuid=None,
            capacity_bytes=reader.capacity_bytes,
            path=str(image),
            change_id=None,
            read_whole=True,
        )
        begun, cpu_s = time.perf_counter(), time.process_time()
        with repository.begin_point(draft) as writer:
            extents = reader.allocated_extents()
            written = writer.write_disk(
                disk, reader, extents, parent=None, progress=Progress(), cancel=CancelToken()
            )
            packed = writer.packed_bytes
            writer.commit()
        done = Stored(
            time.perf_counter() - begun,
            time.process_time() - cpu_s,
            written.stored_bytes,
            1 - packed[min(packed)] / sum(packed.values()),
        )
    reader.close()
    shutil.rmtree(folder)
    return done


def main() -> None:
    """Measure and write the section of ``docs/performance.md``."""
    options = corpus_options("Compare a fixed level with one chosen by bottleneck.", gib=2, folder=CACHE)
    _, corpus = corpus_of(options)
    found: dict[str, list[Stored]] = {_FIXED: [], _AUTO: []}
    with tempfile.TemporaryDirectory(prefix="run-", dir=options.folder) as work:
        for number in range(options.rounds):
            for name in (_FIXED, _AUTO) if number % 2 == 0 else (_AUTO, _FIXED):
                subprocess.run(["cat", str(corpus.base)], stdout=subprocess.DEVNULL, check=True)
                done = store(corpus.base, Path(work) / "ours", may_pack_harder=name is _AUTO)
                found[name].append(done)
                print(f"round {number + 1} {name}: {done.seconds:.2f} s, {done.stored_bytes} bytes", flush=True)
    text = _report(found, corpus.data_bytes, options.size_gib, options.rounds)
    print(text)
    if not options.no_page:
        write_section("packing", "Packing by bottleneck", text)


def _report(found: dict[str, list[Stored]], data_bytes: int, gib: float, rounds: int) -> str:
    def median(name: str, what: str) -> float:
        return float(statistics.median(getattr(done, what) for done in found[name]))

    lines = ["| way | s | CPU s | stored, MiB | packed harder |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {median(name, 'seconds'):.2f} | {median(name, 'cpu_s'):.1f} | "
        f"{median(name, 'stored_bytes') / (1 << 20):.0f} | {median(name, 'harder'):.0%} |"
        for name in found
    ]
    seconds = median(_AUTO, "seconds") / median(_FIXED, "seconds")
    stored = median(_AUTO, "stored_bytes") / median(_FIXED, "stored_bytes")
    return (
        f"{data_bytes / 1e9:.2f} GB of data of an image of {gib:g} GiB, read at "
        f"{LINE_BYTES_PER_S / 1e6:.0f} MB/s; "
        f"medians of {rounds} rounds.\n\n"
        + "\n".join(lines)
        + f"\n\nTime {seconds:.3f} of the fixed level's (goal: no more, within what the line varies), bytes "
        f"{stored - 1:+.1%} (goal: −2 to −5 %).\n\n"
        + circumstances(f"./dev bench packing --size-gib {gib:g} --rounds {rounds}")
    )


if __name__ == "__main__":
    main()
