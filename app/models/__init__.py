"""Qt item models over frozen rows.

A model holds the rows it was given and patches them by id; it never queries. Everything it shows is computed from
a row by plain functions, so ``data()`` does no I/O. Models live on the GUI thread.
"""
