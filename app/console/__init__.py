"""The program with a window: puts engine, door and pages together, and takes them apart again.

- ``program`` is the way from the start to the end; ``pages`` builds the pages of all parts.
- ``enginedoor`` finds the engine or starts one; ``engineprocess`` is one that runs as a child of this process.
- ``secrets`` makes sure that passwords have a place, with a dialog where one is needed.
- ``service`` is what the settings page and the welcome ask of the program; ``autostart`` and ``demoplatform``
  do what they say.

One window per installation (``window.lock``): a second start raises the first and ends. The engine is never in
this process, because threads that move data and a window that must not wait cannot share an interpreter: it is a
child, which lives as long as this process, unless another process holds the catalog: then this window uses its
door. See ``docs/decisions/0012-an-engine-beside-the-window.md``.

Threads: everything here is the GUI thread's, except ``service``, ``enginedoor`` and ``engineprocess`` (any).
"""
