"""What dead processes left behind: their whole records are kept for the next run, the rest is removed."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.repository.files import is_link, make_directory, remove_tree, storage_errors, subdirectories
from app.repository.layout import PACK_SUFFIX, SCRATCH_SUFFIX, WAITING_SUFFIX, Layout, is_pack_id
from app.repository.leases import Lease, LeaseBook
from app.repository.packs import PackDamaged, salvage
from app.repository.parts import RepositoryParts


def adopt_abandoned(parts: RepositoryParts, leases: LeaseBook, lease: Lease) -> int:
    """Take over the staging of writers that are dead and salvage their packs; return how many packs.

    Two processes may do this at the same time: each directory goes to the one whose rename wins.

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
            make_directory(own)
            adopted = own / f"adopted-{path.name}"
            try:
                path.rename(adopted)
            except OSError:  # somebody else was quicker
                continue
            if not is_link(adopted) and adopted.is_dir():
                rescued += sum(_rescue(parts, pack) for pack in _packs_below(adopted))
            remove_tree(adopted)
    return rescued


def _packs_below(directory: Path) -> Iterator[Path]:
    waiting = [directory]
    while waiting:
        one = waiting.pop()
        names, _ = subdirectories(one)
        waiting += [one / name for name in names]
        yield from sorted(path for path in one.iterdir() if path.suffix == PACK_SUFFIX)


def _rescue(parts: RepositoryParts, pack: Path) -> bool:
    if not is_pack_id(pack.stem) or is_link(pack) or not pack.is_file():
        return False
    with suppress(PackDamaged):  # torn within its first bytes: there is nothing in it
        return bool(
            salvage(pack, parts.layout.pack(pack.stem), parts.repository_id.bytes, parts.decoder().is_whole)
        )
    return False


def remove_strays(layout: Layout) -> None:
    """Remove files that dead processes began and never finished, and chains without points.

    The caller holds the exclusive lease: then nobody changes keys, points or trash. Somebody may be about to take
    a lease or may be waiting; both make their files anew.

    Raises:
        StandbyUnavailable: the standby refuses.
    """
    with storage_errors(layout.root):
        strays = [layout.settings.with_name(f"{layout.settings.name}{SCRATCH_SUFFIX}")]
        for directory, suffixes in (
            (layout.locks, (SCRATCH_SUFFIX, WAITING_SUFFIX)),
            (layout.keys, (SCRATCH_SUFFIX,)),
        ):
            strays += [path for path in directory.iterdir() if path.suffix in suffixes]
        for path in strays:
            path.unlink(missing_ok=True)
        for directory in (layout.points, layout.trash):
            for chain in directory.iterdir():
                with suppress(OSError):  # it is not empty
                    chain.rmdir()
