"""The program itself."""

from app.contract.base import Command


class ConfirmClock(Command[None], frozen=True, kw_only=True):
    """Say that this machine's clock is right: what is old may be removed again."""


class RaiseWindow(Command[None], frozen=True, kw_only=True):
    """Ask the window that is open to come to the front; given by a second one, which then ends."""
