"""Entry point of Standfast (磐备).

standfast [--minimized]   the console
standfast --headless      the engine without a window, for a service manager
standfast ctl ...         control the engine that runs; the same as debugctl
standfast demo [--keep]   back up, change, restore and compare the VMs of a simulated vSphere, in the terminal
standfast simulator ...   a vSphere on this machine, for the built-in demo platform
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from app import __version__
from app.core.messagebox import show_box
from app.core.streams import FAILED, CheckedParser, guarded, say
from app.core.utf8 import assure_utf8, first_not_utf8, use_utf8_streams

if TYPE_CHECKING:
    from app.cli.demo.stage import Stage

_USAGE = 2


def _parser() -> argparse.ArgumentParser:
    parser = CheckedParser(prog="standfast", description="Backup and recovery of VMware virtual machines.")
    parser.add_argument("--version", action="version", version=f"Standfast {__version__}")
    parser.add_argument(
        "--headless", action="store_true", help="run the engine without a window until SIGTERM or SIGINT"
    )
    # Of the engine that a window starts: see app/contract/launch.py.
    parser.add_argument("--for-parent", action="store_true", help=argparse.SUPPRESS)
    # Of the service of Windows: see packaging/windows/service.c.
    parser.add_argument("--for-service", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--minimized", action="store_true", help="start in the tray, without showing the window")
    parser.add_argument("--no-tray", action="store_true", help="end with the window, do not live on in the tray")
    parser.add_argument(
        "--catalog",
        choices=("restore", "new", "accept"),
        help="when the catalog is lost, damaged or another one: take its safety copy, begin with an empty one, or "
        "take the one that is there",
    )
    commands = parser.add_subparsers(dest="command", title="commands")
    demo = commands.add_parser(
        "demo", help="the main job on a simulated vSphere: back up, change, restore, compare every byte"
    )
    demo.add_argument("--keep", action="store_true", help="leave the data for a look, and print its path")
    demo.add_argument("--no-window", action="store_true", help="do not open the console at the end")
    commands.add_parser("simulator", help="a vSphere on this machine, for trying out", add_help=False)
    commands.add_parser("ctl", help="control the engine that runs; see: standfast ctl --help", add_help=False)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status.

    Args:
        arguments: the command line; None takes the command line of this process, which becomes the
            program's alone: it is started again in UTF-8 mode where it is not in it.
    """
    return _as_program(_run) if arguments is None else _run(list(arguments))


def _as_program(run: Callable[[list[str]], int]) -> int:
    assure_utf8()
    use_utf8_streams()

    def run_with_arguments() -> int:
        given = sys.argv[1:]
        strange = first_not_utf8(given)
        if strange is not None:
            say(f"The argument {strange} is not UTF-8. Type it in UTF-8, or rename what it names.")
            return _USAGE
        return run(given)

    return guarded(run_with_arguments)


def _run(given: list[str]) -> int:
    # Imported below, so that each way to start loads only what it needs.
    if given[:1] == ["ctl"]:
        return _control(given[1:])
    if given[:1] == ["simulator"]:
        from app.simulator.__main__ import main as simulate

        return simulate(given[1:])
    if given[:1] == ["vddk"]:  # VMware's library in a process of its own: see app/transport/vddk/process.py
        from app.transport.vddk.child import main as serve_library

        return serve_library(given[1:])
    if given[:1] == ["nfs"]:  # the process that VMs run from: see app/nfs/service/__init__.py
        from app.cli.serving import serve

        return serve(given[1:])
    chosen = _parser().parse_args(given)
    if chosen.catalog is not None:
        from app.cli.headless.command import run_catalog_choice
        from app.domain.catalogs import CatalogChoice

        if status := run_catalog_choice(CatalogChoice(chosen.catalog)):
            return status
    if chosen.headless:
        from app.cli.headless.command import run_for_parent, run_for_service, run_headless
        from app.core.processend import end_at_the_latest

        run = run_for_parent if chosen.for_parent else run_for_service if chosen.for_service else run_headless
        return run(on_stop_request=lambda: end_at_the_latest(FAILED))
    if chosen.command == "demo":
        from app.cli.demo.command import run_demo

        if sys.stdout is None:
            say("There is no standard output to show the demo on.")
            return FAILED
        return run_demo(keep=chosen.keep, show=None if chosen.no_window else _demo_window())
    try:
        from app.console.program import run_console
    # The system's libraries for a window may be missing, or the program's folder be damaged.
    except (ImportError, SyntaxError, EOFError, ValueError) as error:
        text = f"The console cannot be shown here: {error}"
        if not say(text):
            show_box(f"{text}\n\nInstall the program again; your data stay.")
        return FAILED
    return run_console(minimized=chosen.minimized, has_tray=False if chosen.no_tray else None)


def _demo_window() -> "Callable[[Stage], None] | None":
    """Return what shows the demo's data in the console, where someone looks and a window can be shown."""
    from app.console.display import can_show

    if not can_show():
        return None
    from app.cli.demo.show import show_console

    return show_console


def debugctl(arguments: Sequence[str] | None = None) -> int:
    """Control the engine that runs; return the exit status."""
    return _as_program(_control) if arguments is None else _control(list(arguments))


def _control(arguments: list[str]) -> int:
    from app.cli.ctl.command import run_ctl

    return run_ctl(arguments)


if __name__ == "__main__":
    from app.core.processend import end_process

    end_process(main())
