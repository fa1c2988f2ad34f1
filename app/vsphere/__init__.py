"""vSphere, as the engine's hypervisor: everything that speaks pyVmomi in the product lives here.

:class:`~app.vsphere.factory.VSphereFactory` fulfils ``app.core.hypervisor.HypervisorFactory``; what it returns,
:class:`~app.vsphere.hypervisor.VSphereHypervisor`, fulfils ``Hypervisor`` and, as ``disk_access``, the ports of
``app.core.access``. :func:`~app.vsphere.certificates.fetch_certificate` shows a server's certificate before
anything is sent to it. Nothing else is meant for callers outside.

Layout: ``certificates`` and ``wire`` make pinned TLS connections, ``session`` logs in and stays logged in,
``faults`` is the one place where foreign errors become ours, ``properties`` and ``inventory`` read, ``tasks``
waits; the others do one thing for one VM each, and ``hypervisor`` puts them together.

Invariants:

* The certificate is compared with the confirmed SHA-256 thumbprint on every TCP connection, right after the
  handshake and before the first byte of a request. Where no thumbprint was confirmed, the operating system's
  certificate authorities decide.
* Every call has a connect and a read timeout; every change on the platform has a deadline.
* Managed objects, collectors and views are never kept between calls: an expired session is replaced by a new
  login and the whole read is done again. A call that changes something is sent on a fresh connection and is
  never repeated automatically, except after ``NotAuthenticated``, which says that nothing happened.
* A snapshot or VM whose creation failed half-way, was cancelled or lost its connection is looked for by its
  name and mark, and removed.
* Inside the package errors are pyVmomi's; ``faults`` translates them, at the latest in ``hypervisor``, so that
  none leaves the package. Passwords and session ids are in no error, log line or ``repr``.

Threads: a session may be used by any number of threads. ``VSphereSession`` guards with one lock which connection
is current, and a login holds it, so that ten threads that find the session expired log in once. pyVmomi's stub
takes a TCP connection out of its pool for each call (its own lock guards the pool), so calls run in parallel; the
state of a stub that is replaced is never shared with its successor. One daemon thread per session keeps it alive;
``close`` ends it. The only other lock guards the registration of the NFC types with pyVmomi.
"""
