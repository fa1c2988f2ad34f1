"""What can be written after ``migrate start``."""

import argparse
from collections.abc import Callable

from app.domain.migration import MigrationCheck


def add_migration_arguments(parser: argparse.ArgumentParser, pair: Callable[[str], tuple[str, str]]) -> None:
    """Add what ``migrate start`` takes.

    Args:
        parser: of that command.
        pair: reads ``OLD=NEW``.
    """
    parser.add_argument("vms", nargs="+", metavar="vm")
    parser.add_argument("--from", dest="source", required=True, metavar="PLATFORM")
    parser.add_argument("--to", dest="target", required=True, metavar="PLATFORM")
    parser.add_argument("--name", help="of the VM in the end; default: as now")
    parser.add_argument("--datacenter")
    parser.add_argument("--host")
    parser.add_argument("--datastore")
    words = "connect adapters of a network to another one; may be repeated"
    parser.add_argument("--network", action="append", type=pair, default=[], metavar="OLD=NEW", help=words)
    for switch, name, words in (
        ("--no-quick", "quick", "use no change tracking: every pass reads everything"),
        ("--ready", "automatic", "stop when it is ready; the cut-over is begun by hand"),
        ("--leave-source", "shut_down_source", "do not shut the source down; one that runs then stays as it is"),
        ("--no-power-on", "power_on", "do not start the target"),
    ):
        parser.add_argument(switch, dest=name, action="store_false", help=words)
    parser.add_argument("--lan-free", action="store_true", help="try the LAN-free modes first")
    parser.add_argument("--quiesce", action="store_true", help="quiesce the guest for snapshots")
    words = "undo the cut-over when the tools in the target do not report"
    parser.add_argument("--prove", dest="prove_start", action="store_true", help=words)
    checks = [check.value for check in MigrationCheck]
    words = "what is compared before the target takes the place"
    parser.add_argument("--check", choices=checks, default=MigrationCheck.FULL.value, help=words)
    parser.add_argument("--plan", action="store_true", help="only say what that would do")
