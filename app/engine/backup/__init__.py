"""Backup of one VM: what to read (``plan``, pure), how to learn it (``changes``), and doing it (``run``)."""
