"""虚机迁移: moving VMs to another platform or place while they run.

- ``page`` lists the migrations and keeps their figures fresh; ``columns`` and ``words`` say how they look,
  ``details`` shows one of them whole.
- ``dialog`` starts them: ``source`` is which VMs (``picker``, ``member``: one of them and its name in the end),
  ``target`` is where (``disks``, ``networks``, ``plan``), ``options`` is how.
- ``acting`` opens what is done with one: ``confirming``, ``stopping``.
"""
