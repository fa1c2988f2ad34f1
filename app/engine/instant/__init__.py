"""Instant recovery: a VM runs from its restore point, over the NFS server of this machine.

The way: ``requests`` answers commands and queries; ``start``, ``ending``, ``finish``, ``cold`` and ``keep`` are
the runs of the tasks, and ``runs`` chooses among them; ``removal`` takes away what is on the platform and at the
standby; ``settling`` does what a crash has left; ``shares`` writes what the serving process reads; ``addresses``
knows where hosts find this machine; ``view`` makes rows.

Invariants:

1. A step is noted in the catalog before it is done (:class:`app.domain.instant.InstantPhase`); what was noted is
   taken away or served again after a crash, whatever else happened.
2. A VM is touched only where it carries the mark of its recovery; a datastore is unmounted only where its server
   and its secret path are ours; what a VM wrote is deleted only after the operator said so, or when it is
   elsewhere, compared.
3. A VM that somebody moved to another datastore is nobody's of ours any more: it stays.
4. The point is pinned from before the first step until after the last.
"""
