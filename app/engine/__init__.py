"""What the product does: backup, restore, verification, and the tasks they run in. Start at ``api.py``.

Plain Python: no Qt, no pyVmomi, no SQL. Everything from outside comes through :class:`app.engine.api.Engine`'s
constructor as a port (``app.core`` and ``ports.py``); the repository is used through its facade.

- ``api`` the only door: ``commands``, ``queries`` with their rows, ``engine``; ``wire`` serializes them.
- ``backup``, ``restore``, ``verify`` the three kinds of task; ``audit`` catches change tracking that lies.
- ``history`` the operator's log, traffic, and who is overdue; ``desks/history``, ``desks/log`` and
  ``desks/overview`` answer about it.
- ``snapshots`` the life of our snapshots; ``recovery`` what is settled after a crash.
- ``dispatcher`` decides who runs (pure); ``taskmanager`` runs them; ``executor`` turns requests into runs.

Invariants: a restore point is visible only whole; whatever ends a task, no snapshot of ours and no unfinished VM
stays behind unless the platform refuses, and then the journal knows it and the log says it.

Threads: each task runs on its own, given by the ``TaskRunner``. ``TaskManager`` has one lock over what waits and
what runs, ``Repositories`` one over what is open; neither is held while a task works or a listener is called.
"""
