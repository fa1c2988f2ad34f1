"""What can be written on the command line about moving to another workstation."""

import argparse
from collections.abc import Callable

AddCommand = Callable[[str, str, str], argparse.ArgumentParser]
"""Adds a command: its name, what runs it, what it does."""

_FROM_WHERE = "asked for, or read from standard input"


def add_moving_commands(command: AddCommand) -> None:
    """Add the commands of ``config``."""
    export = command("export", "moving.export_configuration", "write the whole configuration into a file")
    export.add_argument("file", help="it is replaced where it is there, and readable for its owner only")
    words = f"passwords and keys too, sealed by a passphrase, which is {_FROM_WHERE}"
    export.add_argument("--with-secrets", action="store_true", help=words)
    words = "compare a file with what is here, and take it in; nothing is replaced that is not named"
    take = command("import", "moving.import_configuration", words)
    take.add_argument("file")
    words = f"passwords and keys too; the passphrase is {_FROM_WHERE}"
    take.add_argument("--with-secrets", action="store_true", help=words)
    item = "KIND/NAME or KIND/ID, as the comparison shows it"
    for name, words in (
        ("--replace", "put what is in the file in the place of what is here"),
        ("--rename", "keep both; the one of the file gets another name"),
        ("--skip", "leave it out"),
    ):
        take.add_argument(name, action="append", default=[], metavar="ITEM", help=f"{words}: {item}; repeatable")
    take.add_argument("--stopped", action="store_true", help="import the rules stopped")
    take.add_argument("--yes", action="store_true", help="without it only show what would be done")


def add_take_over_command(command: AddCommand) -> None:
    """Add ``standby take-over``."""
    words = "show whose rules are at one, or make the rules of a console that is gone this one's"
    take = command("take-over", "moving.take_over", words)
    take.add_argument("name", help="of the standby machine, registered here")
    words = (
        "the console whose rules are taken over: its machine, or the beginning of its mark; points: of no console"
    )
    take.add_argument("console", nargs="?", help=words)
    words = (
        "the name of its machine (with points: of the standby machine), once more: without it nothing is changed"
    )
    take.add_argument("--confirm", metavar="NAME", help=words)
    words = "with points: run the rules daily at this local time; without it none of them is adopted"
    take.add_argument("--daily-at", metavar="HH:MM", help=words)
    take.add_argument("--keep-days", type=int, default=30, help="with --daily-at; default: 30")
    take.add_argument("--stopped", action="store_true", help="adopt the rules stopped")
