"""Qt threads between the engine and the window.

``QtTaskRunner`` gives each running task a QThread. ``Asker`` runs queries and commands off the GUI thread and
brings the answers back to it. ``EventPump`` turns the engine's events into one signal. Nothing here decides
anything, and nothing here touches a widget.
"""
