"""Puts the parts of an engine together.

Each class gets the services that it uses. What many of them share is made once, as
:class:`app.engine.assembly.services.Services`, which only this package and :class:`app.engine.engine.Engine` know:
no class keeps all of it to pick from.

- ``services`` what the parts share; ``tasks`` what makes and runs tasks; ``rules`` what happens by the clock;
  ``handlers`` what answers commands and queries.
"""
