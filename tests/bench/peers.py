"""The programs that the repository is measured beside: how they are installed and what they are asked to do.

Debian's qemu-utils and zstd come through apt when this is root; restic and desync come from a later release of
Debian, and borgbackup from PyPI, into folders of their own below ``.cache/bench``. What cannot be had is left out
and said. Peers run without encryption where they can, with zstd level 1 where they let one choose, and with borg's
fixed chunks of 1 MiB.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.corpus import Corpus
from tests.bench.debs import DEBS, unpacked

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "bench"
BORG = CACHE / "borg" / "bin" / "borg"
BORG_RELEASE = "borgbackup==1.4.5"
TOGETHER = "standfast, eight tasks at once"
_PROGRAMS = {
    "qemu-img": "qemu-utils",
    "zstd": "zstd",
    "sfdisk": "fdisk",
    "mke2fs": "e2fsprogs",
}
_BORG_NEEDS = (
    "build-essential",
    "pkg-config",
    "libacl1-dev",
    "liblz4-dev",
    "libssl-dev",
    "libxxhash-dev",
    "libzstd-dev",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a contender does."""

    name: str
    command: Sequence[str]
    every_round: bool = True
    """False for what needs no median: only the bytes stored count."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A program and its steps, in order."""

    name: str
    store: Path
    steps: tuple[Step, ...]
    environment: dict[str, str] = field(default_factory=dict)
    keep_store: bool = False
    """Whether the round still needs the store when its steps are done."""


def install() -> list[str]:
    """Install what is missing; return what is not there all the same."""
    wanted = [package for program, package in _PROGRAMS.items() if not _find(program)]
    if wanted:
        _apt(wanted)
    if not BORG.exists():
        _install_borg()
    missing = [program for program in _PROGRAMS if not _find(program)]
    missing += [deb.program for deb in DEBS if unpacked(deb.program, CACHE) is None]
    return [*missing, *([] if BORG.exists() else ["borg"])]


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/sbin")


def _apt(packages: Sequence[str]) -> None:
    if sys.platform == "win32" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"not installed, because that takes root and apt-get: {' '.join(packages)}", flush=True)
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-q", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            print(done.stdout.decode(errors="replace")[-2000:], flush=True)


def _install_borg() -> None:
    """Build borg: PyPI has it as source for Linux."""
    print(f"installing {BORG_RELEASE}, which takes a minute", flush=True)
    _apt(_BORG_NEEDS)
    folder = BORG.parents[1]
    folder.parent.mkdir(parents=True, exist_ok=True)
    python = getattr(sys, "_base_executable", sys.executable)
    for command in (
        [python, "-m", "venv", "--clear", str(folder)],
        [str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", BORG_RELEASE],
    ):
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            print(f"borg is left out: {done.stderr.decode(errors='replace')[-1000:]}", flush=True)
            return


def ours(work: Path, corpus: Corpus, images: Path) -> list[Contender]:
    """The repository of this product, in processes of its own like the others, and once more encrypted."""
    base = [sys.executable, "-m", "tests.bench.repository_job"]
    plain, sealed = [*base, str(work / "ours")], [*base, "--encrypted", str(work / "sealed")]
    shared = [*base, str(work / "shared")]
    return [
        Contender(
            "standfast",
            work / "ours" / "standby",
            (
                Step("full", [*plain, "full", str(corpus.base)]),
                Step("second", [*plain, "incremental", str(corpus.day), str(images / "corpus.json")]),
                Step("restore", [*plain, "restore", str(work / "out.img")]),
                Step("verify", [*plain, "verify"]),
                Step("clone", [*plain, "full", str(corpus.clone)], every_round=False),
            ),
            keep_store=True,
        ),
        Contender(
            "standfast, encrypted",
            work / "sealed" / "standby",
            (Step("full", [*sealed, "full", str(corpus.base)]),),
        ),
        Contender(
            TOGETHER,
            work / "shared" / "standby",
            (Step("full", [*shared, "together", str(corpus.base)]),),
        ),
    ]


def restic(work: Path, corpus: Corpus) -> Contender:
    """A current restic, with the compression that it chooses itself."""
    base = [str(unpacked("restic", CACHE)), "-q", "-r", str(work / "restic")]
    target = ["--path", str(corpus.base), "--target", str(work / "out")]
    return Contender(
        "restic",
        work / "restic",
        (
            Step("init", [*base, "init"]),
            Step("full", [*base, "backup", str(corpus.base)]),
            Step("second", [*base, "backup", str(corpus.day)]),
            Step("restore", [*base, "restore", "latest", *target]),
            Step("verify", [*base, "check", "--read-data"]),
            Step("clone", [*base, "backup", str(corpus.clone)], every_round=False),
        ),
        {"RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": str(work / "restic-cache")},
    )


def desync(work: Path, corpus: Corpus) -> Contender:
    """A chunk store of content-defined chunks with zstd, without points or a catalog."""
    program, store = str(unpacked("desync", CACHE)), work / "desync"
    make = f"mkdir -p {store} && {program} make -s {store}"
    extract = [program, "extract", "-s", str(store), str(work / "base.caibx"), str(work / "out.img")]
    return Contender(
        "desync",
        store,
        (
            Step("full", ["sh", "-c", f"{make} {work}/base.caibx {corpus.base}"]),
            Step("second", ["sh", "-c", f"{make} {work}/day.caibx {corpus.day}"]),
            Step("restore", extract),
            Step("verify", [program, "verify", "-s", str(store)]),
            Step("clone", ["sh", "-c", f"{make} {work}/clone.caibx {corpus.clone}"], every_round=False),
        ),
    )


def borg(work: Path, corpus: Corpus) -> Contender:
    """The current release of borg."""
    store, program = work / "borg", str(BORG)
    create = [program, "create", "-C", "zstd,1", "--chunker-params", "fixed,1048576"]
    extract = f"mkdir -p {work}/out && cd {work}/out && {program} extract {store}::base"
    return Contender(
        "borg",
        store,
        (
            Step("init", [program, "init", "-e", "none", str(store)]),
            Step("full", [*create, f"{store}::base", str(corpus.base)]),
            Step("second", [*create, f"{store}::day", str(corpus.day)]),
            Step("restore", ["sh", "-c", extract]),
            Step("clone", [*create, f"{store}::clone", str(corpus.clone)], every_round=False),
        ),
        {
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
            "BORG_BASE_DIR": str(work / "borg-home"),
        },
    )


def plain_tools(work: Path, corpus: Corpus) -> list[Contender]:
    """What people script by hand."""
    qcow, packed, target = str(work / "disk.qcow2"), str(work / "disk.zst"), str(work / "out.img")
    convert = ["qemu-img", "convert", "-O"]
    compressed = [*convert, "qcow2", "-c", "-o", "compression_type=zstd"]
    return [
        Contender(
            "qemu-img",
            Path(qcow),
            (
                Step("full", [*compressed, str(corpus.base), qcow]),
                Step("restore", [*convert, "raw", qcow, target]),
                Step("restore, synced", ["sh", "-c", f"qemu-img convert -O raw {qcow} {target} && sync {target}"]),
            ),
            keep_store=True,
        ),
        Contender(
            "zstd -1 -T2",
            Path(packed),
            (
                Step("full", ["zstd", "-q", "-f", "-1", "-T2", str(corpus.base), "-o", packed]),
                Step("restore", ["zstd", "-q", "-f", "-d", packed, "-o", target]),
            ),
        ),
    ]


def everybody(work: Path, corpus: Corpus, images: Path, missing: Sequence[str]) -> list[Contender]:
    """Return all contenders that are installed, in the order of a round."""
    qemu, zstd = plain_tools(work, corpus)
    rest = {"restic": restic, "desync": desync, "borg": borg}
    peers = {name: make(work, corpus) for name, make in rest.items() if name not in missing}
    peers |= {name: made for name, made in (("qemu-img", qemu), ("zstd", zstd)) if name not in missing}
    return [*ours(work, corpus, images), *peers.values()]
