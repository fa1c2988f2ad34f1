"""Plumbing and ports: clock, cancellation, progress, events, retry, and the protocols the engine works with.

Standard library and ``app.domain`` only. A protocol here is declared for the engine that uses it; adapters in
``app.vsphere``, ``app.transport``, ``app.catalog`` fulfil it without importing each other.
"""
