"""A read-only NBD server: any disk that can be read becomes a block device for other programs of this user.

Start it with :class:`app.nbd.server.NbdServer`. It speaks the fixed newstyle handshake with structured replies and
block status (``base:allocation``), so that ``nbdcopy``, ``qemu-img`` and ``nbd-client`` skip what is empty. The
protocol is public: the NBD project's ``doc/proto.md``, whose sections the modules name.

* ``wire``: numbers and frames; ``handshake``: from the connection to the chosen export; ``incoming`` and
  ``transmission``: the requests after it; ``exports``: disks with their holes and a few readers each;
  ``listening``: the socket and who may come in by it; ``folders``: where sockets are, also those that a killed
  engine left; ``server``: the server and its thread.

Invariants: it listens on a Unix socket of this user, or on loopback with secret names; nothing can be written; a
request is at most 32 MiB and a connection has at most 16 in work, so that memory is bounded whatever a client
asks; every malformed request gets an error or ends its connection, never the server.

Threads: one thread runs the event loop; reads happen on a small pool, each reader used by one thread at a time.
Small reads that came together are read by one of them and answered together.
"""
