"""The program itself."""

from typing import Final

from app.contract.base import Command

TASKS_RUN: Final = "program.tasks_run"
"""Code of the error by which :class:`EndProgram` is refused while tasks run."""


class ConfirmClock(Command[None], frozen=True, kw_only=True):
    """Say that this machine's clock is right: what is old may be removed again."""


class EndProgram(Command[None], frozen=True, kw_only=True):
    """End the window and the engine in order, as an installer wants it before it replaces their files."""

    stops_tasks: bool = False
    """Running tasks are stopped and cleaned up; otherwise nothing ends while there are any."""


class RaiseWindow(Command[None], frozen=True, kw_only=True):
    """Ask the window that is open to come to the front; given by a second one, which then ends."""
