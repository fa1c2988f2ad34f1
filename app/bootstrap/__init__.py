"""The composition root, by who needs what.

- ``installation`` finds the folders and the settings of one installation, and holds its locks: everyone.
- ``door`` reaches the engine of an installation, starting one where none runs: the window and ``debugctl``.
- ``host`` builds an engine with everything it stands on: the engine's own process, the demo and tests.
"""
