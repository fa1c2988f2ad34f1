"""The console: pages, dialogs, charts and the tray.

Views show and ask; they do not decide. They reach the engine through ``app.workers`` only, so that nothing here
ever waits for a disk, a database or a network. Everything here lives on the GUI thread.

Sizes, spacing, type and colours come from :mod:`app.views.style`; there are no pixel numbers elsewhere. Screen
text goes through ``tr()`` with English source text; Chinese is in ``resources/translations``.
"""
