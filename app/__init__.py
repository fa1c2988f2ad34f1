"""Standfast (磐备): agentless backup and recovery of VMware virtual machines.

Layers, from the bottom: ``domain`` (values and decisions), ``core`` (ports and plumbing), the five adapters
``vsphere``, ``transport``, ``repository``, ``catalog`` and ``nfs`` (they never import each other), ``engine``
(what the product does), ``workers``, ``models`` and ``views`` (the console). ``bootstrap`` is the only place
that builds objects across layers. ``docs/architecture.md`` explains, import-linter enforces.
"""

__version__ = "0.1.0"
