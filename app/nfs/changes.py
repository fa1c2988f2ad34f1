"""The procedures of NFS 3 that change names and attributes: on a thread, and durably.

:mod:`app.nfs.programs` sees to it that each is done once, however often it is sent.
"""

from collections.abc import Callable
from typing import Final

from app.core.nfs3 import MOST_HANDLE_BYTES, VERIFIER_BYTES, CreateMode, Status
from app.core.xdr import XdrDecoder, XdrEncoder, XdrError
from app.nfs.attributes import NOT_SAID, WantedAttributes, decode_guard, is_guarded
from app.nfs.errors import NfsError
from app.nfs.names import Node
from app.nfs.places import Caller, Place, Places
from app.nfs.queries import taken_name
from app.nfs.reply import Answer, attributes_after, changed
from app.nfs.volumechanges import Exclusive, VolumeChanges
from app.nfs.work import Workers

_NOTHING_BEFORE: Final = NOT_SAID


class Changes:
    """Changes names and attributes. Thread: the event loop's; the work is done on the workers' threads."""

    def __init__(self, places: Places, workers: Workers) -> None:
        self._places = places
        self._workers = workers

    def setattr(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer SETATTR."""
        decoder = XdrDecoder(arguments)
        place = self._place(caller, decoder)
        wanted, guard = WantedAttributes.decode(decoder), decode_guard(decoder)

        def work() -> bytes:
            if guard is not None and not is_guarded(guard, place.volume.attributes(place.node)):
                raise NfsError(Status.NOT_SYNC)
            place.volume.changes.set_attributes(place.node, wanted)
            return changed(Status.OK, place)

        self._do(work, lambda status: changed(status, place), answer)

    def create(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer CREATE."""
        decoder = XdrDecoder(arguments)
        folder = self._place(caller, decoder)
        name, mode = taken_name(decoder), decoder.u32()
        if mode > CreateMode.EXCLUSIVE:
            raise XdrError(f"{mode} where a way to create was due")
        exclusive, wanted = None, WantedAttributes()
        if mode == CreateMode.EXCLUSIVE:
            exclusive = Exclusive(bytes(decoder.take(VERIFIER_BYTES)))
        else:
            wanted = WantedAttributes.decode(decoder)

        def work() -> bytes:
            _refuse_member(folder, name, Status.EXIST)
            made = folder.volume.changes.create(
                folder.node, name, wanted, how=exclusive, is_guarded=mode == CreateMode.GUARDED
            )
            return _made(folder, made)

        self._do(work, lambda status: changed(status, folder), answer)

    def mkdir(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer MKDIR."""
        decoder = XdrDecoder(arguments)
        folder = self._place(caller, decoder)
        name, wanted = taken_name(decoder), WantedAttributes.decode(decoder)

        def work() -> bytes:
            _refuse_member(folder, name, Status.EXIST)
            return _made(folder, folder.volume.changes.make_folder(folder.node, name, wanted))

        self._do(work, lambda status: changed(status, folder), answer)

    def remove(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer REMOVE."""
        self._take_away(*self._named(caller, arguments), VolumeChanges.remove, answer)

    def rmdir(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer RMDIR; the folder of a recovery goes too once it is empty, as when its VM moves away."""
        folder, name = self._named(caller, arguments)
        if not folder.has_member(name):
            self._take_away(folder, name, VolumeChanges.remove_folder, answer)
            return
        try:
            self._places.remove_member(folder, name)
        except NfsError as error:
            answer(changed(error.status, folder))
        else:
            answer(changed(Status.OK, folder))

    def _named(self, caller: Caller, arguments: memoryview) -> tuple[Place, bytes]:
        decoder = XdrDecoder(arguments)
        return self._place(caller, decoder), taken_name(decoder)

    def _take_away(
        self, folder: Place, name: bytes, remove: Callable[[VolumeChanges, Node, bytes], None], answer: Answer
    ) -> None:
        def work() -> bytes:
            _refuse_member(folder, name, Status.ISDIR)
            remove(folder.volume.changes, folder.node, name)
            return changed(Status.OK, folder)

        self._do(work, lambda status: changed(status, folder), answer)

    def rename(self, caller: Caller, arguments: memoryview, answer: Answer) -> None:
        """Answer RENAME."""
        decoder = XdrDecoder(arguments)
        folder, name = self._place(caller, decoder), taken_name(decoder)
        target, to_name = self._place(caller, decoder), taken_name(decoder)

        def both(status: Status) -> bytes:
            return changed(status, folder) + _NOTHING_BEFORE + attributes_after(target)

        def work() -> bytes:
            if folder.volume is not target.volume:
                raise NfsError(Status.XDEV)
            _refuse_member(folder, name, Status.ACCES)
            _refuse_member(target, to_name, Status.EXIST)
            folder.volume.changes.rename(folder.node, name, target.node, to_name)
            return both(Status.OK)

        self._do(work, both, answer)

    def make_special(self, _caller: Caller, _arguments: memoryview, answer: Answer) -> None:
        """Refuse SYMLINK and MKNOD: the host of a VM makes none, and a link could lead out of the volume."""
        answer(XdrEncoder().u32(Status.NOTSUPP).raw(_NOTHING_BEFORE + NOT_SAID).done())

    def link(self, _caller: Caller, _arguments: memoryview, answer: Answer) -> None:
        """Refuse LINK: a file has one name."""
        answer(XdrEncoder().u32(Status.NOTSUPP).raw(NOT_SAID + _NOTHING_BEFORE + NOT_SAID).done())

    def _do(self, work: Callable[[], bytes], refusal: Callable[[Status], bytes], answer: Answer) -> None:
        self._workers.run(work, answer, lambda status: answer(refusal(status)))

    def _place(self, caller: Caller, decoder: XdrDecoder) -> Place:
        return self._places.at(caller, decoder.opaque(MOST_HANDLE_BYTES))


def _refuse_member(folder: Place, name: bytes, status: Status) -> None:
    """Refuse a change of a name that another volume has in this folder.

    Raises:
        NfsError: it has.
    """
    if folder.has_member(name):
        raise NfsError(status, "the folder of another recovery")


def _made(folder: Place, made: Node) -> bytes:
    volume = folder.volume
    encoder = XdrEncoder().u32(Status.OK, 1).opaque(volume.handle(made)).raw(volume.attributes(made).follow())
    return encoder.raw(_NOTHING_BEFORE).raw(attributes_after(folder)).done()
