"""The command line of debugctl names its functions, which are loaded only when there is one to run."""

import argparse
from collections.abc import Iterator

import pytest

from app.cli.ctl.parser import ctl_parser
from app.cli.ctl.running import command_named


def commands_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the names of the functions of all commands."""
    run = parser.get_default("run")
    if run is not None:
        yield run
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action.choices.values():
                yield from commands_of(choice)


@pytest.mark.parametrize("name", sorted(commands_of(ctl_parser())))
def test_every_command_has_its_function(name: str) -> None:
    assert callable(command_named(name))
