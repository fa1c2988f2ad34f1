"""A vSphere that runs on this machine: SOAP API over TLS, NFC, datastore over HTTPS, guests that write.

Start it with :class:`app.simulator.server.VSphereSimulator`, or ``python -m app.simulator``. Nothing in the
product knows that it talks to a simulator; it imports nothing of ours but ``core`` and ``domain``.

Where things are:

* ``spec`` - what shall exist, as values; ``world`` - what exists, with the one lock; ``objects`` - the base of
  all managed objects and the call that reaches them; ``tasks``, ``events``, ``session`` - as named;
  ``faults`` - what shall go wrong.
* ``soap`` - the wire: requests, answers, faults, HTTP; ``content``, ``properties``, ``views``, ``search`` - the
  managed objects every client meets first.
* ``inventory``, ``vm`` - datacenter, hosts, VMs and what can be done to them.
* ``storage``, ``nfc``, ``folder``, ``guests`` - disks as sparse files, the two ways to their bytes, and who
  writes to them.

Invariants: everything listens on 127.0.0.1 only; every thread ends in ``stop()``; a change of any property
happens under ``world.lock`` and is announced by ``SimObject.touch``.

Threads: one per client connection, one per running task, one per writing guest, and the two that accept
connections. ``world.lock`` is never held during I/O; a disk's own lock may be taken while holding it, not the
other way round.
"""
