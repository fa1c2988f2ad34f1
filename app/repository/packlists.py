"""Lists the packs of a repository."""

import os
from contextlib import suppress

from app.repository.files import subdirectories
from app.repository.layout import PACK_SUFFIX, Layout, is_pack_id


def list_packs(layout: Layout) -> dict[str, int]:
    """Return the ids of all sealed packs with the sizes of their files in bytes, without following links.

    What is no file, in the place of one, counts as a pack of no bytes.

    Raises:
        Displaced: a link is in the place of their directory.
        OSError: the standby cannot be read.
    """
    found: dict[str, int] = {}
    for shard in subdirectories(layout.packs)[0]:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(layout.packs / shard) as files:
            for file in files:
                pack_id = file.name.removesuffix(PACK_SUFFIX)
                if file.name.endswith(PACK_SUFFIX) and is_pack_id(pack_id) and pack_id[:2] == shard:
                    is_file = file.is_file(follow_symlinks=False)
                    found[pack_id] = file.stat(follow_symlinks=False).st_size if is_file else 0
    return found


def linked_shards(layout: Layout) -> list[str]:
    """Return the names of links among the directories of packs; the packs behind them count as lost.

    Raises:
        Displaced: a link is in the place of all of them.
        OSError: the standby cannot be read.
    """
    return subdirectories(layout.packs)[1]
