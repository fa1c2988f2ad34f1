"""The engine without a window: ``standfast --headless``, as a person or a service manager starts it.

- ``command`` opens the engine and its door, waits for a signal, and ends everything in order.
- ``signals`` turns the system's signals into one event; ``servicemanager`` reports to systemd.
"""
