"""``platform examine`` and ``rule examine``: what would hinder a backup."""

from argparse import Namespace
from typing import Final

from app.cli.ctl.names import find_platform, find_rule
from app.cli.ctl.screen import Screen
from app.cli.ctl.tasks import DONE, FAILED
from app.contract.base import Query
from app.contract.doctor import ExaminePlatform, ExamineRule, Finding, Severity
from app.contract.door import Door
from app.domain.messages import sentence_if_possible

_WORST_FIRST: Final = tuple(reversed(Severity))


def examine_platform(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Examine a platform; the status is 1 when something there is wrong."""
    return _examine(door, screen, ExaminePlatform(platform=find_platform(door, chosen.name).id))


def examine_rule(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Examine the VMs and the standby of a rule; the status is 1 when something there is wrong."""
    return _examine(door, screen, ExamineRule(rule=find_rule(door, chosen.rule).id))


def _examine(door: Door, screen: Screen, query: Query[tuple[Finding, ...]]) -> int:
    answer = door.ask(query)
    found = sorted(answer, key=lambda finding: _WORST_FIRST.index(finding.severity))
    rows = [
        (
            finding.severity.value,
            finding.subject,
            sentence_if_possible(finding.message, finding.params),
            sentence_if_possible(finding.hint, finding.params),
        )
        for finding in found
    ]
    screen.table(("severity", "about", "finding", "remedy"), rows, found)
    return FAILED if any(finding.severity is Severity.ERROR for finding in found) else DONE
