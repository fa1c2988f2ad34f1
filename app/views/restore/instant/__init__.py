"""瞬时恢复: VMs that run from a restore point: starting them, the list of them, and what becomes of them.

- ``dialog`` starts them, one or several: ``source`` is what (``member``: a VM of a group), ``target`` is where, on
  which networks (``networks``) and by which address of the engine's machine (``addresses``).
- ``list`` shows them: ``feed`` asks while it is seen, ``columns`` and ``words`` say how they look, ``details``
  shows one of them whole.
- ``acting`` opens what is done with one: ``stopping``, ``finishing``, ``resuming``.
"""
