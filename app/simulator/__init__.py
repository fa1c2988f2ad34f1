"""A vSphere that runs on this machine: SOAP API over TLS, NFC, datastore over HTTPS, guests that write.

Start it with :class:`app.simulator.server.VSphereSimulator`, or ``python -m app.simulator``. Nothing in the
product knows that it talks to a simulator; it imports nothing of ours but ``core`` and ``domain``.

Where things are:

* ``spec`` - what is to exist, as values; ``faults`` - what is to go wrong; ``wellknown`` - fixed ids; ``vmomi`` -
  the only door to pyVmomi's untyped parts; ``property_path`` - as named.
* ``objects`` - the base of all managed objects, and the store with the one lock that holds them;
  ``client_session`` - what a managed object knows of the client that calls; ``calls``, ``progress`` - one SOAP
  call, and the task that it starts; ``events``, ``tasks``, ``client_sessions`` - as named; ``world`` - all of it
  together.
* ``server`` - puts everything together; ``tls`` - certificates; ``soap`` - the wire: requests, answers, faults,
  HTTP.
* ``singletons`` makes the managed objects that every client meets first: ``content`` (ServiceInstance),
  ``properties`` (PropertyCollector), ``views``, ``search``, ``history`` (events and tasks), ``authorization``,
  ``licenses``, ``session_manager``.
* ``inventory``, ``vm`` - datacenter, hosts, VMs and what can be done to them.
* ``storage``, ``nfc``, ``folder``, ``guests`` - disks as sparse files, the two ways to their bytes, and who
  writes to them. ``nas`` - exports of NFS servers, which hosts mount through libnfs.

On disk: ``<directory>/datastores/<name>/`` holds a datastore's files, ``<directory>/tls/`` the certificates with
their keys. Nothing is read back at a later start: a directory serves one simulator once.

Invariants: everything listens on 127.0.0.1 only, and connects to nothing but the NFS servers that it is told of;
every thread ends in ``stop()``; a change of any property happens under ``world.lock`` and is announced by
``SimObject.touch``.

Threads: one per client connection, one per running task, one per guest that writes or boots, one per mounted
export, and the two that accept connections. ``world.lock`` is never held while an NFS server is waited for
(``storage.places.in_a_hurry``); a disk's own lock may be taken while holding it, not the other way round.
"""
