"""What ``./dev`` says to the developer, and how it gives up. Standard library only."""

from __future__ import annotations

import sys


class Refused(Exception):
    """The command cannot go on; the message says why and what to type."""


def say(text: str) -> None:
    """Show the developer what happens, apart from the output of the tools."""
    print(f"dev: {text}", file=sys.stderr, flush=True)
