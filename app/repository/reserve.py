"""A little space that is kept for the day on which the standby is full.

What frees space needs some first: a lease, a directory in the trash. ``space.reserve`` holds it. It is made
with a lease where there is something to delete and there is room, given up when there is none, and made again
afterwards.
"""

import os
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Final

from app.core.durable import replace, scratch_path_for, unlink
from app.repository.files import free_bytes, write_new
from app.repository.layout import SCRATCH_SUFFIX, Layout

RESERVE_NAME: Final = "space.reserve"
RESERVE_BYTES: Final = 256 * 1024
"""Enough for a lease and some directories on file systems with large blocks."""
_ROOM_BYTES: Final = 4 * RESERVE_BYTES
"""The reserve is made only where so much is free: it must not take the last space from others."""


class SpaceReserve:
    """The reserve of one repository. Never raises: without it everything works but what frees space when full."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._root = layout.root
        self._path: Path = layout.base / RESERVE_NAME

    def keep(self) -> None:
        """Make the reserve where it is missing and there is room; without anything to delete no one needs it."""
        with suppress(OSError):
            if not self._holds_something():
                unlink(self._path, missing_ok=True)
                return
            free = free_bytes(self._root)
            if self._path.exists() or (free is not None and free < _ROOM_BYTES):
                return
            scratch = scratch_path_for(self._path, SCRATCH_SUFFIX)
            try:
                write_new(scratch, os.urandom(RESERVE_BYTES))  # random, so that no file system shrinks it
                replace(scratch, self._path)
            except FileExistsError:  # what is there under this name is not ours
                return
            except OSError:
                with suppress(OSError):
                    unlink(scratch)

    def _holds_something(self) -> bool:
        places = (self._layout.points, self._layout.trash)
        shards = (shard for shard in self._layout.packs.iterdir() if shard.is_dir())
        return any(any(place.iterdir()) for place in chain(places, shards))

    def give_up(self) -> bool:
        """Free the space; return False where there was none to free."""
        try:
            unlink(self._path)
        except OSError:
            return False
        return True
