"""Upkeep of the repositories, beside the backups: garbage collection, and verification of what has lain longest.

``sweep`` is the task that frees what no restore point needs; ``keeper`` decides, while nothing else is to do,
which repository is swept and which point is verified next. Both give way to backups: a sweep works in slices
shorter than a backup waits for it, and the keeper starts nothing while a task waits or runs.
"""
