"""Entry point of Standfast (磐备).

standfast                 the console
standfast demo [--keep]   back up, change, restore and compare the VMs of a simulated vSphere, in the terminal
"""

import argparse
import sys
from collections.abc import Sequence

from app import __version__


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="standfast", description="Backup and recovery of VMware virtual machines."
    )
    parser.add_argument("--version", action="version", version=f"Standfast {__version__}")
    commands = parser.add_subparsers(dest="command", title="commands")
    demo = commands.add_parser(
        "demo", help="the main job on a simulated vSphere: back up, change, restore, compare every byte"
    )
    demo.add_argument("--keep", action="store_true", help="leave the data for a look, and print where it lies")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    chosen = _parser().parse_args(arguments)
    # Imported here, so that each way to start loads only what it needs.
    from app.cli.demo.command import run_demo

    return run_demo(keep=chosen.keep)


if __name__ == "__main__":
    sys.exit(main())
