"""Threads and event loops between the engine and the window.

``QtTaskRunner`` gives each running task of an engine a QThread. ``DoorClient`` asks and commands the engine over
one socket, under asyncio inside Qt's event loop (``loop``), and brings answers (``Answers``) and events
(``EventPump``) to the GUI thread. ``Apart`` runs the window's own work that may wait for a disk on two threads.
Nothing here decides anything, and nothing here touches a widget.
"""
