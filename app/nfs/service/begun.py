"""What was seen of each recovery that was served, on this machine: what is at the standby must not be less.

A standby comes back as another disk, an older copy, or an empty folder under the same path. None of them may be
taken for what a VM wrote, and nothing may be written into them.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from app.core.durable import replace_durably, sync_directory, unlink
from app.core.privatefiles import make_private_folder
from app.nfs.service.exports import Export

BEGUN_FOLDER: Final = "begun"
_SUFFIX: Final = ".json"
_LONGEST_BYTES: Final = 1 << 20


class _Seen(msgspec.Struct, frozen=True):
    publication: str
    records: dict[str, int]
    """How many records the overlay of each disk had durably, by the keys of the disks."""


class BegunRecoveries:
    """Remembers which recoveries were served, and how much their VMs wrote durably. Thread: one at a time."""

    def __init__(self, folder: Path) -> None:
        """Prepare; ``folder`` is that of the service."""
        self._folder = folder / BEGUN_FOLDER
        self._known: dict[str, _Seen] = {}

    def seen(self, export: Export) -> Mapping[str, int] | None:
        """Return how many records each disk had; None for a recovery that was not served since it was started.

        Raises:
            OSError: that cannot be read.
        """
        found = self._known.get(export.id)
        if found is None:
            try:
                with self._file(export.id).open("rb") as file:
                    found = msgspec.json.decode(file.read(_LONGEST_BYTES), type=_Seen)
            except FileNotFoundError:
                return None
            except msgspec.MsgspecError:  # it was served, and how much was written is not known any more
                return {}
        return found.records if found.publication == export.publication else None

    def note(self, export: Export, records: Mapping[str, int]) -> None:
        """Remember what is durable at the standby by now.

        Raises:
            OSError: the system refused.
        """
        wanted = _Seen(export.publication, dict(records))
        if self._known.get(export.id) == wanted:
            return
        with suppress(FileExistsError):
            make_private_folder(self._folder)
        replace_durably(self._file(export.id), msgspec.json.encode(wanted))
        self._known[export.id] = wanted

    def keep_only(self, recoveries: Collection[str]) -> None:
        """Forget all others.

        Raises:
            OSError: the system refused.
        """
        try:
            found = [path for path in self._folder.iterdir() if path.suffix == _SUFFIX]
        except FileNotFoundError:
            return
        gone = [path for path in found if path.stem not in recoveries]
        for path in gone:
            self._known.pop(path.stem, None)
            unlink(path, missing_ok=True)
        if gone:
            sync_directory(self._folder)

    def _file(self, recovery: str) -> Path:
        return self._folder / f"{recovery}{_SUFFIX}"
