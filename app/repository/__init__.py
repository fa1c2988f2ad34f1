"""The backup data at a standby path: content-addressed, append-only, readable with no catalog.

The entry is :class:`Repository`; it gives out a :class:`PointWriter` per restore point that is written and a
:class:`PointReader` per point that is read. No one else imports the modules below. The bytes on disk are
described in ``docs/repository-format.md``; the parts are:

- ``records``: a chunk of disk (512 KiB) or an index page, as frames of 64 KiB that decode alone. A chunk's name is
  the digest of its frames' digests, so one frame can be checked against the name that the point's index gives.
  ``records`` decodes them, ``encoding`` makes them, ``store`` finds and reads them.
- ``packs``: files of about 64 MiB full of records, with a footer. Never changed once sealed; ``sealedpacks``
  knows which are there, ``packfiles`` keeps some open, with the heads of their records (``packheads``): those find
  a record without the ``locator``, which is asked for all others and wherever that fails.
- ``pages``: a disk's index, a tree of pages of 1,024 digests. A new point writes only the pages that changed.
- ``points`` and ``pointfile``: ``point.json`` with the root digest of each disk, next to the VM's configuration.
- ``pipeline``: a disk on its way into packs. ``copying``: a point's disk on its way out, in bulk; ``disk``: at
  random.
- ``locator``: digest → place, in LMDB on this machine (``locatortables``). Rebuilt from the footers whenever it is
  missing (``locatorrebuild``).
- ``maintenance``: garbage collection (``marking``, ``garbage``), space figures (``space``), verification of
  everything (``scrub``) and repair (``healing``).
- ``crypto``, ``keys`` and ``seals``: encryption, which changes records and a point's files, and nothing else.
- ``pins``: which points are in use for long; ``pinning`` opens them so.
- ``consoles``: whose rules write here, and which console was taken over and writes no more.
- ``leases``: who uses the repository; ``waiting``: who would like to. ``staging``: what a dead writer left is
  salvaged by the next.

Invariants:

1. A point that is visible is whole: everything it refers to was durable before its directory was renamed into
   place. Only garbage collection deletes packs. It excludes all others but those who read a pinned point, who look
   for a record again whose pack has gone.
2. Files at the standby are not believed: every length is bounded, every byte is covered by a checksum or digest,
   every name is checked, before it is used.
3. Damaged things are named and set aside, never deleted.

Which operations exclude which (lease):

=====================================  ===========  =====================================  =============
who comes · who is there               point listed shared (all of the next two lines)     garb., repair
=====================================  ===========  =====================================  =============
list points, list the trash            together     together                               together
backup, deletion, return, keys         together     together                               waits
reading a point, figures, plan         together     together                               waits
reading a pinned point                 together     together                               together (#)
garbage collection, repair             together     waits                                  waits
=====================================  ===========  =====================================  =============

(#) Taking the pin waits. Restores, exports, offers over NBD and verifications of a point read with a pin.

Garbage collection yields: a process that waits for a shared lease puts a mark next to the leases, and collection
ends between two packs, or anywhere in its plan, with ``finished=False``. Waiting in vain
raises ``RepositoryBusy``: shared leases after 30 s, exclusive ones after the ``wait_s`` of the call.

Threads: :class:`Repository` may be used from any thread; a writer or reader belongs to one at a time and has
worker threads of its own, which end with the call that started them. Inside: ``appender`` serializes writes
under one lock and seals packs on one background thread; ``pipeline`` has one lock around the source; the caches
of ``disk`` are shared by the threads that read for it.
Progress: methods that take a ``progress`` advance it; what to expect in all is for the caller to say.
"""

from app.repository.access import RepositoryAccess, inspect_repository, unlock_repository
from app.repository.consoles import ConsoleCopy, TakenOver
from app.repository.facade import Repository
from app.repository.garbageplan import GarbageCollectionPlan, GarbageCollectionPolicy, GarbageCollectionReport
from app.repository.healing import RepairReport
from app.repository.keys import (
    MasterKey,
    Passphrase,
    Protection,
    RecoveryKey,
    RepositoryKey,
    Unlocked,
)
from app.repository.pins import Pin, PinListing
from app.repository.reader import PointReader
from app.repository.reasons import PinPurpose
from app.repository.recoverykeys import is_recovery_key, new_recovery_key, typo_in
from app.repository.scrub import PointDamage, RepositoryReport
from app.repository.seals import MOST_RECOVERY_SEALS, Seal, Seals
from app.repository.space import SpaceReport, SpaceUse
from app.repository.trash import TrashedPoint
from app.repository.values import (
    Damage,
    DamagedPoint,
    DamageKind,
    DiskDraft,
    PointDraft,
    PointListing,
    RepositoryFacts,
    RepositorySettings,
    VerifyReport,
)
from app.repository.writer import PointWriter

__all__ = [
    "MOST_RECOVERY_SEALS",
    "ConsoleCopy",
    "Damage",
    "DamageKind",
    "DamagedPoint",
    "DiskDraft",
    "GarbageCollectionPlan",
    "GarbageCollectionPolicy",
    "GarbageCollectionReport",
    "MasterKey",
    "Passphrase",
    "Pin",
    "PinListing",
    "PinPurpose",
    "PointDamage",
    "PointDraft",
    "PointListing",
    "PointReader",
    "PointWriter",
    "Protection",
    "RecoveryKey",
    "RepairReport",
    "Repository",
    "RepositoryAccess",
    "RepositoryFacts",
    "RepositoryKey",
    "RepositoryReport",
    "RepositorySettings",
    "Seal",
    "Seals",
    "SpaceReport",
    "SpaceUse",
    "TakenOver",
    "TrashedPoint",
    "Unlocked",
    "VerifyReport",
    "inspect_repository",
    "is_recovery_key",
    "new_recovery_key",
    "typo_in",
    "unlock_repository",
]
