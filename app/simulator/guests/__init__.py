"""Guests: what is on the disks of simulated VMs, and who writes to them.

What lives here: :func:`install_guest` puts a partition table (MBR or GPT) and a FAT16 or FAT32 file system with
directories, long names and files on an empty disk; :class:`Guests` lets the guests of running VMs change those
files. Everything is plain Python and works on any system; ``fsck.fat``, ``mtools`` and ``sfdisk`` can read it.

Inside: ``partitions``, ``fat_layout``, ``fat_directory``, ``fat_table``, ``fat`` (the file system), ``content``
(what files contain), ``image`` (fresh disks), ``guest`` (what one guest does), ``workload`` (threads and pauses),
``boots`` (the time until a guest answers).

Invariants: everything follows from seeds; a file system is valid whenever its guest is paused; a guest finds its
disk again when a snapshot gives it another file.

:class:`GuestDevices` is what the guest sees of disks that are attached to it, for the one VM that the
program under test takes itself to run in.

Threads: one per running VM that has a rate, and one per VM that boots. A guest's lock is taken before a disk's,
never the other way round; who pauses a guest must not hold the world's lock.
"""

from app.simulator.guests.boots import Boots
from app.simulator.guests.devices import GuestDevices
from app.simulator.guests.fat import FatFile, FatVolume
from app.simulator.guests.fat_layout import NotFat
from app.simulator.guests.fat_table import VolumeFull
from app.simulator.guests.guest import Guest
from app.simulator.guests.image import install_guest
from app.simulator.guests.partitions import Partition, find_partition
from app.simulator.guests.workload import GuestNotRunning, Guests, GuestVm, GuestWorkload

__all__ = [
    "Boots",
    "FatFile",
    "FatVolume",
    "Guest",
    "GuestDevices",
    "GuestNotRunning",
    "GuestVm",
    "GuestWorkload",
    "Guests",
    "NotFat",
    "Partition",
    "VolumeFull",
    "find_partition",
    "install_guest",
]
