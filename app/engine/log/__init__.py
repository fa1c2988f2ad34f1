"""The operator's log.

- ``journal`` writes lines about what belongs to no task; ``app.engine.tasks.log`` writes those of tasks.
- ``search`` turns the filter of a page into a search of the catalog, ``export`` writes a log file.
- ``handlers`` answers the commands and queries.
"""
