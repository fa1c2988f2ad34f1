"""What is damaged and why, as parameters of this package's errors.

How exactly a file differs from what was written only helps who looks into the format: it is kept as details.
"""

from typing import Final

from app.domain.display import visible
from app.domain.messages import Message, MessageKind, Word
from app.domain.reasons import reason_of

RECORD_LOST: Final = MessageKind("repository.record_lost", "a stored record cannot be read")
RECORD_CHANGED: Final = MessageKind("repository.record_changed", "a stored record is not what was written")
PACK_CHANGED: Final = MessageKind("repository.pack_changed", "the pack file is not what was written")
PAGE_CHANGED: Final = MessageKind("repository.page_changed", "an index page is not what was written")
CONTENT_CHANGED: Final = MessageKind("repository.content_changed", "its content is not what was written")
FILE_CHANGED: Final = MessageKind("repository.file_changed", "{file}: {reason}")
MISSING: Final = MessageKind("repository.missing_file", "it is missing")
LINK_IN_PLACE: Final = MessageKind(
    "repository.link_in_place", "a link is in its place; nothing behind it was read"
)
NO_FILE_IN_PLACE: Final = MessageKind("repository.no_file_in_place", "what is in its place is not a file")
NO_DESCRIPTION: Final = MessageKind("repository.no_description", "it has no {file}")
OTHER_POINT: Final = MessageKind("repository.other_point", "its description belongs to another point")
UNREADABLE_DESCRIPTION: Final = MessageKind("repository.unreadable", "its description cannot be read")
NO_SUCH_DISK: Final = MessageKind("repository.no_such_disk", "it has no disk {disk}")
NO_PASSPHRASE: Final = MessageKind(
    "repository.no_passphrase", "no passphrase opens this repository any more; set a new one"
)
NAME_NOT_WRITABLE: Final = MessageKind(
    "repository.name_not_writable", "a file name cannot be written in {encoding}"
)

INDEX: Final = MessageKind("repository.thing.index", "the index")
INDEX_OF: Final = MessageKind("repository.thing.index_of", "the index of {disk} in {point}")
INDEX_PAGE: Final = MessageKind("repository.thing.index_page", "the index page {page}")
PACK: Final = MessageKind("repository.thing.pack", "the pack {pack}")
NO_PACK: Final = MessageKind("repository.thing.no_pack", "no pack")
CONSOLE: Final = MessageKind("repository.thing.console", "that the console {console} was taken over")
PIN: Final = MessageKind("repository.thing.pin", "the pin {pin}")
POINT: Final = MessageKind("repository.thing.point", "the restore point {point}")
DELETED_POINT: Final = MessageKind("repository.thing.deleted_point", "the deleted restore point {point}")
PLACE_IN_DISK: Final = MessageKind("repository.thing.place", "{where}, {point}, {disk}, byte {offset}")
PARENT_OF: Final = MessageKind("repository.thing.parent", "{where}, parent {point}")


class Purpose(Word):
    """What a lease on a repository is held for; the value is what is written into it."""

    WORK = "backup or restore"
    COLLECTION = "garbage collection"
    REPAIR = "repair"


def purpose_of(text: str) -> Purpose | str:
    """Return what a lease says it is held for; text that this version does not know is returned as it is."""
    return next((purpose for purpose in Purpose if purpose.value == text), text)


class PinPurpose(Word):
    """What a restore point is pinned for; the value is what is written into the pin."""

    VERIFICATION = "verification"
    EXPORT = "export"
    OFFER = "disks over NBD"
    RESTORE = "restore"
    RECOVERY = "instant recovery"

    @property
    def outlives_process(self) -> bool:
        """Return whether such a pin is ended by whoever took it only, and stays when their process has ended."""
        return self is PinPurpose.RECOVERY


def pin_purpose_of(text: str) -> PinPurpose | str:
    """Return what a pin says it is for; text that this version does not know is returned as it is."""
    return next((purpose for purpose in PinPurpose if purpose.value == text), visible(text))


class NotAsWritten(ValueError):
    """Something stored is not what was written; its text says how, for readers who know the format."""

    kind: MessageKind = CONTENT_CHANGED

    def said(self) -> Message:
        """Return it as a message."""
        return self.kind.fill(details=str(self))


class FileLost(NotAsWritten):
    """A file cannot be read at all, for the reason that it says itself."""

    def __init__(self, reason: MessageKind) -> None:
        self.kind = reason
        super().__init__(reason.template)

    def said(self) -> Message:
        """Return it as a message."""
        return self.kind.fill()


def flaw_of(error: Exception) -> Message:
    """Return what is wrong with something that was stored."""
    if type(error) is ValueError:
        return CONTENT_CHANGED.fill(details=str(error))
    return reason_of(error)
