"""What dead processes left behind: their whole records are kept for the next run, the rest is removed."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.core.durable import is_scratch_of, remove_directory, rename
from app.repository.files import is_link, make_directory, storage_errors, subdirectories
from app.repository.layout import PACK_SUFFIX, SCRATCH_SUFFIX, WAITING_SUFFIX, is_pack_id
from app.repository.leases import Lease, Leases
from app.repository.packs import PackDamaged, PackTooNew, salvage
from app.repository.parts import RepositoryParts
from app.repository.reserve import RESERVE_NAME


def adopt_abandoned(parts: RepositoryParts, leases: Leases, lease: Lease) -> int:
    """Take over the staging of writers that are dead and salvage their packs; return how many packs.

    Two processes may do this at the same time: each directory goes to the one whose rename wins. What cannot be
    deleted goes back to where it was, and is noted.

    Raises:
        StandbyFull, StandbyUnavailable: the standby refuses.
    """
    staging = parts.layout.staging
    rescued = 0
    with storage_errors(parts.layout.root):
        abandoned = [
            path for path in staging.iterdir() if path.name != lease.id and not leases.is_alive(path.name)
        ]
    for path in abandoned:
        own = staging / lease.id
        with storage_errors(parts.layout.root):
            make_directory(own)
        adopted = own / f"adopted-{path.name}"
        try:
            rename(path, adopted)
        except FileNotFoundError:  # someone else was quicker
            continue
        except OSError as error:
            parts.leftovers.note(path, error)
            continue
        try:
            rescued += _rescue_all(parts, adopted)
            gone = parts.leftovers.remove(adopted, known_as=path)
        except PackTooNew:  # the program that wrote it salvages it
            gone = False
        except OSError as error:
            parts.leftovers.note(path, error)
            gone = False
        if not gone:
            _put_back(parts, adopted, path)
    return rescued


def _rescue_all(parts: RepositoryParts, adopted: Path) -> int:
    if is_link(adopted) or not adopted.is_dir():
        return 0
    return sum(_rescue(parts, pack) for pack in _packs_below(adopted))


def _put_back(parts: RepositoryParts, adopted: Path, before: Path) -> None:
    """Leave what cannot be deleted where it was, so that it is adopted no deeper each time.

    Raises:
        StandbyUnavailable: the standby is gone.
    """
    try:
        rename(adopted, before)
    except OSError:
        parts.packs.check_standby()


def _packs_below(directory: Path) -> Iterator[Path]:
    waiting = [directory]
    while waiting:
        folder = waiting.pop()
        names, _ = subdirectories(folder)
        waiting += [folder / name for name in names]
        yield from sorted(path for path in folder.iterdir() if path.suffix == PACK_SUFFIX)


def _rescue(parts: RepositoryParts, pack: Path) -> bool:
    if not is_pack_id(pack.stem) or is_link(pack) or not pack.is_file():
        return False
    try:
        return bool(
            salvage(pack, parts.layout.pack(pack.stem), parts.repository_id.bytes, parts.decoder().is_whole)
        )
    except PackTooNew:
        raise
    except PackDamaged:  # torn within its first bytes: there is nothing in it
        return False


def remove_strays(parts: RepositoryParts) -> None:
    """Remove files that dead processes began and never finished, and chains without points.

    The caller holds the exclusive lease: then no one changes keys, points or trash. Someone may be about to take
    a lease or may be waiting; both recreate their files.

    Raises:
        StandbyUnavailable: the standby refuses.
    """
    layout = parts.layout
    with storage_errors(layout.root):
        unfinished = (layout.settings, layout.base / RESERVE_NAME)
        strays = [
            path
            for path in layout.base.iterdir()
            if any(is_scratch_of(file, path.name, SCRATCH_SUFFIX) for file in unfinished)
        ]
        for directory, suffixes in (
            (layout.locks, (SCRATCH_SUFFIX, WAITING_SUFFIX)),
            (layout.keys, (SCRATCH_SUFFIX,)),
            (layout.pins, (SCRATCH_SUFFIX,)),
            (layout.consoles, (SCRATCH_SUFFIX,)),
        ):
            if directory.exists():
                strays += [path for path in directory.iterdir() if path.suffix in suffixes]
        for path in strays:
            parts.leftovers.remove(path)
        for directory in (layout.points, layout.trash):
            for chain in directory.iterdir():
                with suppress(OSError):  # it is not empty
                    remove_directory(chain)
