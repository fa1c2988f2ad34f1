"""``rule …``."""

from argparse import Namespace

from app.cli.ctl.names import find, find_rule
from app.cli.ctl.screen import Screen
from app.cli.ctl.tasks import DONE, queued
from app.contract.door import Door
from app.contract.rules import ChangeRuleRetry, DescribeRule, ListRules, ListRuleVms, RunNow, StartRules, StopRules
from app.domain.policies import RetryPlan
from app.domain.states import BackupKind, TaskState


def list_rules(door: Door, screen: Screen, _chosen: Namespace) -> int:
    """List rules."""
    rows = door.ask(ListRules())
    columns = ("name", "state", "platform", "standby", ">VMs", "next run", "last result", ">unviewed errors")
    cells = (
        (
            row.name,
            row.state.value,
            row.platform_name,
            f"{row.standby_name}:{row.target_path}",
            row.vm_count,
            row.next_run,
            row.last_result.value if row.last_result else None,
            row.unviewed_errors,
        )
        for row in rows
    )
    screen.table(columns, cells, rows)
    return DONE


def start_rules(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Start all VMs of rules."""
    rules = [find_rule(door, name) for name in chosen.rules]
    door.execute(StartRules(rules=tuple(rule.id for rule in rules)))
    return _report(screen, [rule.name for rule in rules], "started")


def stop_rules(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Stop all VMs of rules, and the tasks that run for them."""
    rules = [find_rule(door, name) for name in chosen.rules]
    door.execute(StopRules(rules=tuple(rule.id for rule in rules)))
    now = {row.id: row.state for row in door.ask(ListRules())}
    for rule in rules:
        screen.line(f"{rule.name} {'stopping' if now.get(rule.id) is TaskState.STOPPING else 'stopped'}")
    if screen.as_json:
        screen.document([rule.name for rule in rules])
    return DONE


def run_rule(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Back VMs of a rule up now."""
    rule = find_rule(door, chosen.rule)
    rows = door.ask(ListRuleVms(rule=rule.id))
    vms = tuple(find("VM of this rule", name, rows, lambda row: (row.vm, row.name)).vm for name in chosen.vm)
    tasks = door.execute(RunNow(rule=rule.id, vms=vms, kind=BackupKind(chosen.kind)))
    if not tasks:
        screen.remark("Backups of these VMs run already.")
    return queued(door, screen, tasks, wait=chosen.wait)


def retry_rule(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show how failed backups of a rule are tried again, after changing that where it is wanted."""
    rule = find_rule(door, chosen.rule)
    known = door.ask(DescribeRule(rule=rule.id)).draft.policy.policy.retry
    wanted = RetryPlan(
        times=known.times if chosen.times is None else chosen.times,
        pause_min=known.pause_min if chosen.after is None else chosen.after,
    )
    if wanted != known:
        door.execute(ChangeRuleRetry(rule=rule.id, retry=wanted))
    waiting = [row for row in door.ask(ListRuleVms(rule=rule.id)) if row.next_try is not None]
    facts: list[tuple[str, object]] = [("tries", wanted.times), ("minutes between", wanted.pause_min)]
    for row in waiting:
        assert row.next_try is not None
        at = f"{row.next_try.at.astimezone():%Y-%m-%d %H:%M}"
        facts.append((row.name, f"try {row.next_try.number} of {row.next_try.of} at {at}"))
    screen.facts(facts, {"retry": wanted, "waiting": waiting})
    return DONE


def _report(screen: Screen, names: list[str], done: str) -> int:
    for name in names:
        screen.line(f"{name} {done}")
    if screen.as_json:
        screen.document(names)
    return DONE
