"""Connects to the engine, runs one command, and says by the exit status how it ended."""

from argparse import Namespace
from collections.abc import Callable
from importlib import import_module

from app.cli.ctl.screen import Screen
from app.contract.client import attach
from app.contract.door import Door
from app.contract.errors import EngineAway
from app.core.streams import FAILED
from app.domain.errors import OperationalError
from app.paths import Folders, find_folders

NO_ENGINE = 3


def run_chosen(chosen: Namespace, folders: Folders | None) -> int:
    """Run the command that was parsed; return its exit status."""
    screen = Screen(as_json=chosen.json)
    try:
        with attach((folders or find_folders()).data) as door:
            return command_named(chosen.run)(door, screen, chosen)
    except EngineAway as error:
        screen.remark(str(error))
        return NO_ENGINE
    except OperationalError as error:
        screen.remark(str(error))
        return FAILED
    except UnicodeDecodeError:
        screen.remark("What was given on standard input is not UTF-8.")
        return FAILED


def command_named(name: str) -> Callable[[Door, Screen, Namespace], int]:
    """Return the function of a command, named ``module.function`` within ``app.cli.ctl``."""
    module, _, function = name.partition(".")
    found: Callable[[Door, Screen, Namespace], int] = getattr(import_module(f"app.cli.ctl.{module}"), function)
    return found
