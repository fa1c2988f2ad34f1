"""The Windows lab of ``./dev windows``: runs the program and its tests under wine. Standard library only.

The lab is the folder ``.cache/windows``. It is made in four steps, each of which is repeated when what it depends
on has changed (``steps.py``):

- ``debian``    a Debian with wine, made by debootstrap, of which a run is the ``chroot``
- ``prefix``    the Windows that wine makes: registry and drive C
- ``python``    CPython for Windows, laid out as its installer does it
- ``packages``  what ``requirements/dev.txt`` pins for Windows

A run (``runs.py``) sees all of that and the checkout in mount and process namespaces of its own: drive D holds
``standfast`` and ``python``. Whatever becomes of the run, its mounts and processes end with it. What it writes to
drive C and to the Debian goes into a folder that is removed: every run begins with the same new Windows, and runs
do not meet.

What is proven that way, and what is not: ``docs/windows.md``.
"""
