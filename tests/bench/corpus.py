"""Makes disk images as a backup meets them: a server's disk, the same disk a day later, and a clone of it.

``base.img`` has a GPT and one ext4 file system with real files of this machine, files of random bytes, copies of
some files, and a run of written zeros; the rest is holes. ``day.img`` is the base after a day of work: 2 % of its
64 KiB blocks changed in clusters, with the list of changed extents that CBT would give. ``clone.img`` differs
from the base by 10 %. The same machine and the same seed give the same images but for inode change times.

Needs sfdisk and mke2fs (no root, no loop device). Run by ``./dev bench repository``, or alone:
``python -m tests.bench.corpus FOLDER [--gib 8]``.
"""

import argparse
import bisect
import hashlib
import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.domain.extents import Extent, normalize, total_bytes

MIB = 1 << 20
GIB = 1 << 30
BLOCK = 64 * 1024
UUID = "6c1f3c1e-6d0b-4b8e-9d55-0123456789ab"
DAWN = 1_700_000_000
_RANDOM_FILES_MIB = (1, 2, 3, 5, 8, 13, 21, 34, 55)
_DAY_RUNS = (((1, 4), 6), ((8, 32), 3), ((64, 160), 1))
_CLONE_RUNS = (((1, 4), 4), ((8, 64), 4), ((128, 512), 2))


@dataclass(frozen=True, slots=True)
class Corpus:
    """Three images and what lies between them."""

    base: Path
    day: Path
    clone: Path
    changed: tuple[Extent, ...]
    """What changed from the base to the day."""
    data_bytes: int
    """Bytes of the base that are not holes."""

    @property
    def changed_bytes(self) -> int:
        """Bytes that changed from the base to the day."""
        return total_bytes(self.changed)


def make_corpus(folder: Path, *, gib: float, seed: int = 1) -> Corpus:
    """Make the images, or return those that were made with the same parameters before."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "corpus.json"
    parameters = {"gib": gib, "seed": seed, "version": 1}
    base, day, clone = (folder / f"{name}.img" for name in ("base", "day", "clone"))
    if not manifest.exists() or json.loads(manifest.read_text())["parameters"] != parameters:
        _make_base(base, int(gib * GIB), seed)
        changed = _change(base, day, share=0.02, runs=_DAY_RUNS, seed=seed + 100)
        _change(base, clone, share=0.10, runs=_CLONE_RUNS, seed=seed + 200)
        pairs = [(extent.start, extent.length_bytes) for extent in changed]
        manifest.write_text(json.dumps({"parameters": parameters, "changed": pairs}))
    changed = [Extent(*pair) for pair in json.loads(manifest.read_text())["changed"]]
    return Corpus(base, day, clone, tuple(changed), total_bytes(data_extents(base)))


def corpus_options(description: str, *, gib: float, folder: Path) -> argparse.Namespace:
    """Read the arguments of a benchmark that works on the corpus: its size, the rounds, where it is kept."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--size-gib", type=float, default=gib, help="size of the disk images (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=folder, help="where the images are made and kept")
    parser.add_argument("--no-page", action="store_true", help="print only")
    return parser.parse_args()


def corpus_of(options: argparse.Namespace) -> tuple[Path, Corpus]:
    """Make the corpus that was asked for, or find the one of another run; return where, too."""
    images = options.folder / f"images-{options.size_gib:g}"
    return images, make_corpus(images, gib=options.size_gib)


def data_extents(image: Path) -> list[Extent]:
    """Return the parts of an image that are not holes."""
    found: list[Extent] = []
    with image.open("rb") as file:
        size, position = os.fstat(file.fileno()).st_size, 0
        while position < size:
            try:
                start = os.lseek(file.fileno(), position, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                break
            position = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            found.append(Extent(start, position - start))
    return found


def _make_base(image: Path, size: int, seed: int) -> None:
    stage = image.with_suffix(".stage")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    try:
        _stage_files(stage, size * 11 // 32, size // 16, seed)
        _stage_random(stage / "srv" / "media", size // 8, seed)
        _make_file_system(image, stage, size)
    finally:
        shutil.rmtree(stage)
    _write_zeros(image, size // 32)


def _stage_files(stage: Path, files_bytes: int, copies_bytes: int, seed: int) -> None:
    """Copy a sample of this machine's files, and some of them a second time."""
    left, left_to_copy = files_bytes, copies_bytes
    chosen: list[Path] = []
    for path, size in sorted(_candidates(), key=lambda candidate: _dice(seed, candidate[0])):
        if size <= left:
            left -= size
            chosen.append(path)
    for path in sorted(chosen):  # in the order of paths, as an installer would lay them
        inner = path.relative_to("/")
        _put(path, stage / inner)
        size = path.stat().st_size
        if 8192 <= size <= left_to_copy and _dice(seed + 1, path)[0] < 56:
            left_to_copy -= size
            _put(path, stage / "home" / "copies" / inner)


def _candidates() -> Iterator[tuple[Path, int]]:
    for folder, _, names in os.walk("/usr"):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink() and 0 < path.stat().st_size < 256 * MIB:
                yield path, path.stat().st_size


def _dice(seed: int, path: Path) -> bytes:
    return hashlib.blake2b(f"{seed}:{path}".encode(), digest_size=8).digest()


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)
    os.utime(target, (DAWN, DAWN))


def _stage_random(folder: Path, left: int, seed: int) -> None:
    folder.mkdir(parents=True)
    dice = random.Random(seed)
    number = 0
    while left > 0:
        size = min(left, dice.choice(_RANDOM_FILES_MIB) * MIB + dice.randrange(4096))
        path = folder / f"{number:04d}.bin"
        path.write_bytes(np.random.Generator(np.random.PCG64([seed, number])).bytes(size))
        os.utime(path, (DAWN, DAWN))
        left, number = left - size, number + 1


def _make_file_system(image: Path, stage: Path, size: int) -> None:
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(size)
    table = (
        f"label: gpt\nlabel-id: {UUID}\nfirst-lba: 2048\n"
        f"start=2048, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid={UUID}\n"
    )
    environment = {
        **os.environ,
        "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
        "SOURCE_DATE_EPOCH": str(DAWN),
        "E2FSPROGS_FAKE_TIME": str(DAWN),
    }
    subprocess.run(["sfdisk", "-q", str(image)], input=table.encode(), check=True, env=environment)
    options = f"offset={MIB},hash_seed={UUID},nodiscard,lazy_itable_init=0,lazy_journal_init=1"
    command = ["mke2fs", "-q", "-t", "ext4", "-F", "-b", "4096", "-U", UUID, "-L", "root", "-E", options]
    command += ["-d", str(stage), str(image), str((size - 2 * MIB) // 4096)]
    subprocess.run(command, check=True, env=environment)


def _write_zeros(image: Path, left: int) -> None:
    """Fill part of the largest holes with written zeros, as a guest does that wipes its free space."""
    used = data_extents(image)
    ends = [extent.end for extent in used]
    starts = [extent.start for extent in used[1:]] + [image.stat().st_size]
    holes = sorted(zip(ends, starts, strict=True), key=lambda hole: hole[0] - hole[1])
    with image.open("r+b") as file:
        for start, end in holes:
            length = min(left, end - start)
            file.seek(start)
            for offset in range(0, length, MIB):
                file.write(bytes(min(MIB, length - offset)))
            left -= length
            if left <= 0:
                return


def _change(
    source: Path, target: Path, *, share: float, runs: Iterable[tuple[tuple[int, int], int]], seed: int
) -> list[Extent]:
    """Copy an image and change a share of its blocks in clusters; return what was written."""
    subprocess.run(["cp", "--sparse=always", str(source), str(target)], check=True)
    used = sorted(
        {
            block
            for extent in data_extents(source)
            for block in range(extent.start // BLOCK, -(-extent.end // BLOCK))
        }
    )
    blocks = source.stat().st_size // BLOCK
    lengths = [span for span, weight in runs for _ in range(weight)]
    changed = _pick_blocks(used, blocks, int(blocks * share), lengths, random.Random(seed))
    dice = random.Random(seed + 1)
    with target.open("r+b", buffering=0) as file:
        for extent in changed:
            _rewrite(file.fileno(), extent, used, blocks, dice)
    return changed


def _pick_blocks(
    used: list[int], blocks: int, wanted: int, lengths: list[tuple[int, int]], dice: random.Random
) -> list[Extent]:
    """Choose clusters: most rewrite what is used, some grow into the free space behind it."""
    picked: set[int] = set()
    while len(picked) < wanted:
        start = dice.choice(used)
        if dice.random() < 0.15:
            while start in picked or (start + 1 < blocks and _holds(used, start + 1)):
                start += 1
        run = range(max(32, start), min(start + dice.randint(*dice.choice(lengths)), blocks - 1))
        picked.update(list(run)[: wanted - len(picked)])
    return normalize(Extent(block * BLOCK, BLOCK) for block in picked)


def _holds(ordered: list[int], value: int) -> bool:
    at = bisect.bisect_left(ordered, value)
    return at < len(ordered) and ordered[at] == value


def _rewrite(descriptor: int, extent: Extent, used: list[int], blocks: int, dice: random.Random) -> None:
    """Put new content into one cluster: like the old, random, moved from elsewhere, or zeros."""
    kind = dice.random()
    elsewhere = dice.choice(used)
    for offset in range(extent.start, extent.end, BLOCK):
        seed = dice.getrandbits(63)
        if kind < 0.55:
            data = _shuffled(os.pread(descriptor, BLOCK, dice.choice(used) * BLOCK), seed)
        elif kind < 0.80:
            data = np.random.Generator(np.random.PCG64(seed)).bytes(BLOCK)
        elif kind < 0.95:
            block = min(elsewhere + (offset - extent.start) // BLOCK, blocks - 1)
            data = os.pread(descriptor, BLOCK, block * BLOCK)
        else:
            data = bytes(BLOCK)
        os.pwrite(descriptor, data, offset)


def _shuffled(data: bytes, seed: int) -> bytes:
    """Return bytes that compress like ``data`` and are not in any other block."""
    rows = np.frombuffer(data.ljust(BLOCK, b"\0"), np.uint8).reshape(-1, 512).copy()
    np.random.Generator(np.random.PCG64(seed)).shuffle(rows, axis=0)
    rows[:, :8] = np.frombuffer(seed.to_bytes(8, "little"), np.uint8)
    return rows.tobytes()


def main() -> None:
    """Make the corpus from the command line."""
    parser = argparse.ArgumentParser(description="Make the repository benchmark's disk images.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gib", type=float, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    corpus = make_corpus(options.folder, gib=options.gib, seed=options.seed)
    print(f"{corpus.base}: {corpus.data_bytes} bytes of data; {corpus.changed_bytes} bytes changed in a day")


if __name__ == "__main__":
    main()
