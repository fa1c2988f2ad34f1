"""Parts of what is on a disk, as messages name them."""

from typing import Final

from app.domain.messages import MessageKind, Word


class Part(Word):
    """A structure that is looked at."""

    PARTITION_TABLE = "the partition table"
    SUPERBLOCK = "the superblock"
    GROUPS = "the group descriptors"
    ROOT = "the root directory"
    BOOT_SECTOR = "the boot sector"
    MASTER_FILE_TABLE = "the master file table"
    ALLOCATION_TABLE = "the file allocation table"
    ALLOCATION_GROUPS = "the headers of the allocation groups"
    LABEL = "the label"
    METADATA = "the metadata"


PART_DAMAGED: Final = MessageKind(
    "guest.part_damaged", "{disk}: {part} of {system} at byte {offset} cannot be right"
)
"""``system`` is a name such as ext4 or GPT."""
