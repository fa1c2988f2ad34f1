"""Reading and writing the disks of a virtual platform: native NFC, HTTPS datastore access, VMware's library.

Entry: :class:`app.transport.factory.NativeTransports` fulfils ``app.core.access.DiskTransports``;
:class:`app.transport.options.TransportOptions` tunes it. ``negotiation`` tries the preferred modes in order and
writes to the task's log why each one before the taken one was not. What comes out are ``DiskReader`` and
``DiskWriter`` of ``app.core.disks``.

What lives here:

- ``link``: a TCP connection with TLS on and off, whose every wait has a limit and looks at the cancel token;
- ``nfc/``: native NFC (modes NFC and NFC_SSL), written from the protocols page alone;
- ``https``, ``datastore_file``, ``http_range``, ``descriptor``: a disk's plain file by ranges, read only;
- ``attempt``: what is tried on which disk, and how often again; ``ahead``: pulling requests ahead of answers;
- ``vddk/``: VMware's own library in processes of its own, where the operator supplies it;
- ``errors``, ``messages``, ``options``, ``certificates``.

Invariants: a host's certificate is compared with the announced one before anything is said to it. Buffers
belong to the caller and are filled in place; what a transport has in flight is bounded by
``transfer_buffer_bytes``. Memory never grows by what a peer claims: every size is checked against what was
asked. A broken or stalled connection is replaced, with a new ticket or session, and only the missing bytes are
asked for again; a malformed answer ends the connection for good. Closing ends every socket; there are no threads.

Threads: an open disk is used by one thread at a time; different disks share nothing.

Sectors exist only here: offsets that do not fall on 512 bytes are widened on the way to the host.
"""
