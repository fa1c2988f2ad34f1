"""Proofs of restore: a restore point is started without a network, looked at, and taken away again.

The way: ``requests`` answers commands and queries; ``run`` is the run of the task; ``booting`` starts the VM with
the building blocks of :mod:`app.engine.instant`, and ``watching`` waits for its guest system; ``screen`` judges
pictures; ``structure`` is the second best, where a platform cannot start the VM; ``schedule`` queues proofs by the
clock; ``lateness`` says which VMs have none that is recent enough.

Invariants:

1. What a proof makes is noted as an instant recovery of the purpose *proof* before it is made; no list shows it,
   and all of it is taken away, whichever way the proof ends, also after a crash.
2. What cannot be told is *not proven*.
3. A proof that could not be carried out (the platform is away, the operator stopped it) says nothing of the
   point, and what was known of it stays.
"""
