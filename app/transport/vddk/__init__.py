"""Reading and writing disks by VMware's own library (VDDK), which the operator supplies.

Its modes are SAN, HOTADD, NBD and NBD_SSL.

Entry: :class:`app.transport.vddk.service.Vddk`. The library is not part of this program, and nothing here needs
it.

What lives here:

- ``service``: which library is used, and opening disks by it; ``holding``: keeping a VM on its datastore;
- ``folder``, ``binaries``: examining a folder without loading anything of it;
- ``process``: the library's own process, as the engine sees it; ``session``: an open disk in one;
- ``reader``, ``writer``: what the engine gets;
- ``wire``: what travels between the two processes;
- ``child``, ``calls``, ``layouts``: the other side, the only one that loads the library;
- ``codes``: the library's error numbers in words.

Invariants: the engine never loads the library, for it may abort, hang, and brings a libcrypto of its own. Each
open disk has a process; when that does not answer in time it is killed. Passwords travel over the socket between
the two only, never on a command line, in the environment or in a file. Reads are done one after the other, as the
library wants it; several are queued, so that it never waits for us.

Threads: an open disk is used by one thread at a time. ``child`` has three: one receives, one calls the library,
one sends.
"""
