"""The program with a window: puts engine, door and pages together, and takes them apart again.

- ``program`` is the way from the start to the end; ``pages`` builds the pages of all parts.
- ``secrets`` opens the place for passwords, with a dialog where one is needed.
- ``service`` is what the settings page and the welcome ask of the program; ``autostart`` and ``demoplatform``
  do what they say.

One window per installation (``window.lock``): a second start raises the first and ends. The engine is in this
process, its tasks on QThreads, unless another process holds the catalog: then this window uses its door.

Threads: everything here is the GUI thread's, except ``service`` (any).
"""
