"""Tools of the project's developers, started by ``./dev``."""
