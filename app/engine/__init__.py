"""What the product does: backup, restore, verification, export, and the tasks they run in. Start at ``engine``.

Plain Python: no Qt, no pyVmomi, no SQL. Everything from outside comes through the constructor of
:class:`app.engine.engine.Engine` as a port (``app.core`` and ``ports``); repositories through their facade.
What can be asked of it is declared in ``app.contract``.

- ``engine`` starts and ends, and passes commands and queries on; ``assembly`` puts its parts together.
- ``handlers`` marks the methods that answer commands and queries; each folder has its own ``handlers`` module.
- ``tasks``: ``dispatcher`` decides which tasks run (pure), ``manager`` gives them threads, ``factory`` makes them
  of what they have to do (``spec``, written and read by ``stored``), ``execution`` has a run for each kind;
  ``crashrecovery`` settles what a kill left.
- ``backup``, ``restore``, ``verify``, ``export`` the tasks that make restore points and read them; ``hooks`` runs
  the operator's commands around a backup.
- ``platforms`` and ``standbys`` where VMs come from and where their data goes, with ``encryption``,
  ``points`` (the list of restore points), ``registration`` (what both refuse) and ``doctor`` (what would hinder a
  backup).
- ``rules`` backups by plan, retries and retention; ``notify`` tells people what failed.
- ``log`` and ``history`` what happened, in lines and in figures.
- ``program`` the engine's own process: heartbeat, clock, limits; ``door`` lets other processes in.

Invariants: a restore point is visible only whole; whatever ends a task, no snapshot of ours and no unfinished VM
stays behind unless the platform refuses, and then the journal knows it and the log says it.

Threads: each task runs on its own, given by the ``TaskRunner``. ``TaskManager`` has one lock over what waits and
what runs, ``Repositories`` one for each repository; neither is held while a task works or a listener is called.
"""
