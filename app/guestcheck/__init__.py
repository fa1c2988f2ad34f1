"""Whether the disks of a VM hold file systems that are in order: their structures are read, nothing else.

:func:`check_disks` looks at each disk: its partition table (MBR with logical partitions, GPT, or none), and at the
beginning of each partition for a file system that is known here. Of each, the structures are read that opening it
needs, with their checksums where they have any, down to the root directory:

- ext2, ext3, ext4: superblock, group descriptors, root inode, root directory (``ext``)
- NTFS: boot sector, records 0 to 5 of the master file table, root index (``ntfs``)
- FAT12, FAT16, FAT32 (``fat``) and exFAT (``exfat``): boot sector, allocation table, root directory
- XFS: superblock, headers of the allocation groups, root inode (``xfs``)
- LVM2: label, metadata with its text; what is inside of logical volumes is not looked at (``lvm``)

Invariants:

1. Everything on a disk may be wrong, on purpose: no number from it is used before it is compared with its bounds,
   and whatever is there, nothing leaves this package but errors of the disk's reader.
2. At most ``volume.MOST_BYTES`` are read of a disk, in pieces of ``volume.MOST_AT_ONCE``, and every loop has a
   bound.
3. Nothing is written.

It knows the disk as :class:`app.core.disks.DiskReader` only. Thread: any, one per check.
"""

from app.guestcheck.check import DiskFindings, Problem, check_disks

__all__ = ["DiskFindings", "Problem", "check_disks"]
