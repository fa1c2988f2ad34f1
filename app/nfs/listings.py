"""READDIR and READDIRPLUS (RFC 1813, 3.3.16 and 3.3.17): a folder page by page.

The cookie of an entry is its id, which stays and is never used twice: whatever is made or removed between two
pages, no name comes twice and none that stays is left out.
"""

from typing import Final

from app.core.nfs3 import Status
from app.core.xdr import XdrEncoder
from app.nfs.errors import NfsError
from app.nfs.names import ROOT
from app.nfs.places import Place

_ITSELF, _PARENT = 1, 2
"""Cookies of ``.`` and ``..``."""
_AROUND_BYTES: Final = 4 + 88 + 8 + 4 + 4
"""What an answer has besides the entries: status, attributes of the folder, verifier, end of the list, eof."""
_MOST_BYTES: Final = 1 << 20


class ListingShort:
    """Answers with ids, names and cookies. Thread: any."""

    def __init__(self, folder: Place, most_bytes: int) -> None:
        """Prepare; an answer has at most so many bytes."""
        self._folder = folder
        self._left = min(most_bytes, _MOST_BYTES) - _AROUND_BYTES

    def page(self, cookie: int) -> bytes:
        """Return the list of entries behind a cookie, as many as there is room for, and whether it is the end.

        Raises:
            NfsError: it is no folder, or there is no room for a single entry.
        """
        pages: list[bytes] = []
        is_end = True
        for number, name, place in self._entries(cookie):
            entry = self._entry(number, name, place)
            self._left -= len(entry)
            if not self._has_room(entry, name):
                if not pages:
                    raise NfsError(Status.TOOSMALL)
                is_end = False
                break
            pages.append(entry)
        return b"".join(pages) + XdrEncoder().u32(0, is_end).done()

    def _entries(self, cookie: int) -> list[tuple[int, bytes, Place]]:
        folder, volume = self._folder, self._folder.volume
        first = [(_ITSELF, b".", folder), (_PARENT, b"..", folder.child(b".."))]
        own = [(node.id, node.name, Place(volume, node)) for node in volume.entries(folder.node, cookie)]
        return [entry for entry in (*first, *own, *self._members()) if entry[0] > cookie]

    def _members(self) -> list[tuple[int, bytes, Place]]:
        """Return the volumes that are folders here; the cookie of each is its id, behind all others."""
        if self._folder.node.id != ROOT:
            return []
        members = ((name, Place(member, member.root())) for name, member in self._folder.volume.members.items())
        return sorted(
            ((place.volume.file_id(place.node), name, place) for name, place in members),
            key=lambda entry: entry[0],
        )

    def _entry(self, cookie: int, name: bytes, place: Place) -> bytes:
        return XdrEncoder().u32(1).u64(place.volume.file_id(place.node)).opaque(name).u64(cookie).done()

    def _has_room(self, entry: bytes, name: bytes) -> bool:
        del entry, name
        return self._left >= 0


class ListingPlus(ListingShort):
    """Answers with attributes and handles as well. Thread: any."""

    def __init__(self, folder: Place, most_bytes: int, most_name_bytes: int) -> None:
        """Prepare; the names and cookies alone have at most ``most_name_bytes``."""
        super().__init__(folder, most_bytes)
        self._left_names = most_name_bytes

    def _entry(self, cookie: int, name: bytes, place: Place) -> bytes:
        volume, node = place.volume, place.node
        encoder = XdrEncoder().raw(super()._entry(cookie, name, place)).raw(volume.attributes(node).follow())
        return encoder.u32(1).opaque(volume.handle(node)).done()

    def _has_room(self, entry: bytes, name: bytes) -> bool:
        self._left_names -= 24 + len(name)
        return super()._has_room(entry, name) and self._left_names >= 0
