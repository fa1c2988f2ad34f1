"""Restore points: the list of them in the catalog, and what can be done with a point.

- ``list`` makes the list agree with what a repository holds; ``reconciliation`` decides when that is done.
- ``reading`` opens a point for a task; ``handlers`` answers the commands and queries.

A point becomes visible in its repository first and is listed afterwards; it is deleted in the same order.
"""
