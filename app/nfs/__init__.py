"""An NFS 3 server of our own: a host mounts a volume and runs VMs from restore points in it.

The way of a call: ``connection`` takes records off a socket, ``programs`` finds the procedure, which is in
``transfers`` (READ, WRITE, COMMIT), ``queries`` or ``changes``; it answers now, from memory, or has ``work`` do
on a thread what may wait for a disk. ``places`` knows what is served and what a handle means, ``volume`` is the
tree of names, ``names`` its value and its file, ``content`` the bytes behind a file. ``overlay`` is the content
of a disk: a restore point, and a log of what was written to it.

Invariants:

1. What was answered as durable is durable: a WRITE with FILE_SYNC or DATA_SYNC and a COMMIT after a sync that
   began after the bytes were written, a change of names after the names were stored. After a sync that failed
   nothing is taken any more.
2. Handles, ids and cookies mean the same for ever, also after a kill; an id is never used twice.
3. What must not be done twice is done once: its answer is remembered by client, number, procedure and
   arguments.
4. Nothing that a client sends is believed: lengths are bounded before memory is taken for them, names are names
   and no paths, files at the standby are named by ids.
5. A standby that refuses is waited for: a client hears JUKEBOX, only of a full disk NOSPC, and of an error only
   where something is damaged. What is refused is remembered for the operator (``trouble``). Nothing is opened,
   made or deleted under a path that leads to another folder than when the volume was opened.

Threads: everything is on the event loop's thread (:class:`NfsServer` has one) but the work in ``work`` and
whoever adds and removes volumes. Locks: one per volume, around changes of names; looking takes none.
"""

from app.nfs.content import FileContent, OpenFiles
from app.nfs.server import NfsServer
from app.nfs.volume import Volume

__all__ = ["FileContent", "NfsServer", "OpenFiles", "Volume"]
