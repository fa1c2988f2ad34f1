"""What happened, in figures: traffic, statistics, the first page, who is overdue.

- ``recorder`` samples the counters of running tasks once a second, on a thread of its own.
- ``overdue`` decides which VMs have no fresh backup.
- ``ports`` is what all of it, and the log, needs from the catalog.
- ``handlers`` answers about traffic and statistics, ``overview`` about the first page, the status bar and
  the search.
"""
