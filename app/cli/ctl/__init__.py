"""``debugctl`` (``standfast ctl``): control of the engine that runs, on the command line.

Everything goes through the engine's door as any window's requests do; nothing here opens the catalog or a
repository. Passwords are asked for or read from standard input, never taken from the command line.

- ``command`` connects, dispatches and turns errors into the exit status; ``parser`` is what can be written.
- ``tasks``, ``rules``, ``points``, ``instant``, ``migrations``, ``offers``, ``registration``, ``keys``, ``hooks``,
  ``notify``, ``program`` the commands; ``names`` finds things by name or key.
- ``screen`` shows tables to people, and with ``--json`` documents to programs.

Exit status: 0 done, 1 the engine refused or a task failed, 2 wrong usage, 3 no engine runs.
"""
