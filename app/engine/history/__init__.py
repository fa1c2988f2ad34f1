"""What happened, while it happens: the operator's log, the traffic, how full standbys are, who is overdue.

- ``journal`` writes log lines about what belongs to no task; the lines of tasks are ``app.engine.tasks.log``'s.
- ``recorder`` samples the counters of running tasks once a second, on a thread of its own.
- ``overdue``, ``search``, ``export`` are decisions and formats without effects on the engine.
- ``ports`` is what all of it needs from the catalog.

The desk that answers about it is ``app.engine.history.handlers``.
"""
