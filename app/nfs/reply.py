"""How a procedure answers: with its results, now or later, on the event loop's thread."""

import struct
from collections.abc import Callable
from typing import Final

from app.core.nfs3 import Status
from app.core.oncrpc import LAST_FRAGMENT, MARK_BYTES, AcceptStatus, AuthFlavor, MessageType
from app.nfs.attributes import NOT_SAID
from app.nfs.places import Place

_HEAD: Final = struct.Struct(">7I")
HEAD_BYTES: Final = _HEAD.size
"""What precedes the results in a record: the mark, and the beginning of the reply."""
_U32: Final = struct.Struct(">I")

Answer = Callable[[bytes | bytearray], None]
"""Takes the results. A ``bytearray`` has room for the head before them, so that large ones are copied nowhere."""


def sealed(xid: int, results: bytes | bytearray) -> bytes | bytearray:
    """Return the record of a reply."""
    has_room = isinstance(results, bytearray)
    length = len(results) - (MARK_BYTES if has_room else 0) + (0 if has_room else HEAD_BYTES - MARK_BYTES)
    head = (LAST_FRAGMENT | length, xid, MessageType.REPLY, 0, AuthFlavor.NONE, 0, AcceptStatus.SUCCESS)
    if isinstance(results, bytearray):
        _HEAD.pack_into(results, 0, *head)
        return results
    return _HEAD.pack(*head) + results


def attributes_after(place: Place) -> bytes:
    """Return ``post_op_attr`` of what is there now; nothing where it is gone."""
    node = place.present()
    return NOT_SAID if node is None else place.volume.attributes(node).follow()


def refused(status: Status, place: Place) -> bytes:
    """Return a status with the attributes behind it, as procedures answer that change nothing."""
    return _U32.pack(status) + attributes_after(place)


def changed(status: Status, place: Place) -> bytes:
    """Return a status with ``wcc_data``: nothing of before, and the attributes of now."""
    return _U32.pack(status) + NOT_SAID + attributes_after(place)
