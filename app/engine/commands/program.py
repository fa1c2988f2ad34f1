"""Commands about the program itself."""

from app.engine.commands.base import Command


class RaiseWindow(Command[None], frozen=True, kw_only=True):
    """Ask the window that is open to come to the front; given by a second one, which then ends."""
