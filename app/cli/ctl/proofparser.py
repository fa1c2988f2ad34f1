"""The words of ``debugctl proof``."""

import argparse
from collections.abc import Callable
from datetime import time

from app.domain.proofs import ProofWhen, ProofWhich

AddCommand = Callable[[str, str, str], argparse.ArgumentParser]
"""Adds a command of a name, which a function does, with words of help."""


def add_proof_commands(command: AddCommand) -> None:
    """Add them."""
    start = command(
        "start", "proofs.start_proof", "start a point's VM without a network, look at it, take it away"
    )
    listing = command("list", "proofs.list_proofs", "list the points that were tried, the newest proof first")
    picture = command("picture", "proofs.save_picture", "write what the console showed at the end of a proof")
    rule = command("rule", "proofs.rule_proofs", "show or change when and how a rule proves its points")
    for parser in (start, picture):
        parser.add_argument("point")
        parser.add_argument("--standby", help="where the point is, when several have one of that key")
    start.add_argument("--address", help="of the engine's machine, to which the host connects")
    start.add_argument("--no-wait", dest="wait", action="store_false", help="return at once")
    listing.add_argument("--vm")
    listing.add_argument("--rule", help="only points of the rule of this name")
    picture.add_argument("file", help="a PNG file, which is replaced where it is there")
    rule.add_argument("rule")
    for parser in (start, rule):
        parser.add_argument("--platform", help="where the VM is started")
        parser.add_argument("--host", help="on which host; by default the platform's choice")
        parser.add_argument("--minutes", dest="limit_min", type=int, help="how long the guest has to come up")
        parser.add_argument("--cpus", type=int, help="at most so many for the VM")
        parser.add_argument(
            "--memory", dest="memory_mib", metavar="MB", type=int, help="at most so much for the VM"
        )
    _add_schedule(rule)


def _add_schedule(rule: argparse.ArgumentParser) -> None:
    rule.add_argument("--when", choices=[when.value for when in ProofWhen])
    rule.add_argument("--which", choices=[which.value for which in ProofWhich])
    rule.add_argument("--every", dest="every_days", metavar="DAYS", type=int)
    rule.add_argument("--at", type=_time_of_day, metavar="HH:MM", help="from when on, every so many days")
    rule.add_argument("--at-once", type=int, metavar="COUNT", help="how many run at the same time")
    rule.add_argument("--per-day", dest="minutes_per_day", type=int, metavar="MINUTES", help="all together")
    words = "a VM without a proof for so many days is a warning; 0: never"
    rule.add_argument("--warn-after", dest="warn_after_days", type=int, metavar="DAYS", help=words)


def _time_of_day(text: str) -> str:
    try:
        time.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no time such as 03:00") from error
    return text
