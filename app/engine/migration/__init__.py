"""Migration (虚机迁移): a VM goes to another platform or place, and runs meanwhile.

The way: ``requests`` answers commands and queries; ``runs`` does the tasks: it prepares (``preparing``,
``source``), creates the target VM (``target``), copies in passes (``passes`` and ``frozen``, decided by
``passplan``, measured by ``measure``) until the rest is small (``until_small``), and cuts over (``cutover``,
``outcome``); ``undoing`` takes a cut-over back, after a failure and after a crash alike; ``settling`` looks
after migrations at which no task works; ``view`` makes rows.

Invariants:

1. A step is noted in the catalog before it is done (:class:`app.domain.migration.MigrationPhase`).
2. The source is read from snapshots alone, each journalled; before the cut-over nothing else of it is changed, but
   that change tracking is switched on where that is wanted.
3. A disk of the target is written, and the target VM deleted, only where it carries the migration's mark.
4. What a disk of the target holds is believed only as far as a finished pass has noted it: with a change id of the
   source's disk it is that disk as it was at that id, and what has changed since is copied over it; without one it
   is compared as a whole. A target that may have been started has none.
5. Source and target never run at the same time by our doing, but where the operator wants the source left alone:
   then the target stays off.
6. Until the target runs, every failure and every crash leads back to the source, under its name and running if it
   ran; from then on to the target.
7. The source is never deleted.
"""
