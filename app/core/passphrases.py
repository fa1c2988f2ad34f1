"""The passphrase of the encrypted password file: how short it may be, and where it comes from."""

import os
from collections.abc import Callable, Mapping

PASSPHRASE_VARIABLE = "STANDFAST_PASSPHRASE"  # noqa: S105 - the name of a variable
SECRET_FILE = "secrets.json"  # noqa: S105 - the name of a file
"""Name of the encrypted password file in the data folder."""
SHORTEST_PASSPHRASE = 8


def passphrase_from(
    environment: Mapping[str, str] = os.environ, otherwise: Callable[[], str | None] | None = None
) -> Callable[[], str | None]:
    """Return a function that gives the passphrase from the environment, else by asking ``otherwise``."""

    def ask() -> str | None:
        if value := environment.get(PASSPHRASE_VARIABLE):
            return value
        return otherwise() if otherwise is not None else None

    return ask
