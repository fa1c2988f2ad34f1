"""``hook …``: the commands before and after the backup of a VM."""

from argparse import Namespace
from dataclasses import dataclass, replace

from app.cli.ctl.names import find_rule
from app.cli.ctl.screen import Screen
from app.cli.ctl.tasks import DONE
from app.contract.door import Door
from app.contract.hooks import ReadHooks, SetHooks
from app.contract.rules import ListRules, RuleRow
from app.domain.hooks import AllHooks, HookCommand, Hooks, command_words
from app.domain.ids import RuleId


@dataclass(frozen=True, kw_only=True)
class RuleHooks:
    """What runs around the backups of a rule, as a document."""

    rule: RuleId
    is_own: bool
    """Whether the rule has commands of its own; else these are the common ones."""
    hooks: Hooks


def show_hooks(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show the common commands and which rules have others, or those of one rule."""
    book = door.ask(ReadHooks())
    if chosen.rule:
        _show_rule(screen, find_rule(door, chosen.rule), book)
        return DONE
    names = {row.id: row.name for row in door.ask(ListRules())} if book.rules else {}
    facts = _facts(book.common)
    for rule, hooks in book.rules.items():
        facts += [(f"{names.get(rule, rule)}, {name}", words) for name, words in _facts(hooks)]
    screen.facts(facts, book)
    return DONE


def set_hook(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Set the command before or after; what a rule has not yet of its own begins as the common one."""
    book = door.ask(ReadHooks())
    rule = find_rule(door, chosen.rule) if chosen.rule else None
    command = HookCommand(
        arguments=tuple(chosen.words),
        time_limit_s=chosen.time_limit,
        retries=chosen.retries,
        veto=chosen.veto,
        enabled=chosen.enabled,
    )
    hooks = book.of_rule(rule.id if rule else None)
    changed = replace(hooks, before=command) if chosen.phase == "before" else replace(hooks, after=command)
    if rule is not None and rule.id not in book.rules and hooks != Hooks():
        screen.remark(f"{rule.name} has commands of its own from now on; the other one is as the common one was.")
    return _keep(door, screen, rule, changed)


def clear_hooks(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Remove a command or both; a rule without a phase goes back to the common ones."""
    rule = find_rule(door, chosen.rule) if chosen.rule else None
    if chosen.phase is None:
        return _keep(door, screen, rule, None)
    hooks = door.ask(ReadHooks()).of_rule(rule.id if rule else None)
    return _keep(
        door, screen, rule, replace(hooks, before=None) if chosen.phase == "before" else replace(hooks, after=None)
    )


def _keep(door: Door, screen: Screen, rule: RuleRow | None, hooks: Hooks | None) -> int:
    door.execute(SetHooks(rule=rule.id if rule else None, hooks=hooks))
    book = door.ask(ReadHooks())
    if rule is None:
        screen.facts(_facts(book.common), book.common)
    else:
        _show_rule(screen, rule, book)
    return DONE


def _show_rule(screen: Screen, rule: RuleRow, book: AllHooks) -> None:
    is_own, hooks = rule.id in book.rules, book.of_rule(rule.id)
    facts: list[tuple[str, object]] = [
        ("Rule", rule.name),
        ("Commands", "its own" if is_own else "the common ones"),
    ]
    screen.facts(facts + _facts(hooks), RuleHooks(rule=rule.id, is_own=is_own, hooks=hooks))


def _facts(hooks: Hooks) -> list[tuple[str, object]]:
    return [("before", _words(hooks.before, may_veto=True)), ("after", _words(hooks.after, may_veto=False))]


def _words(hook: HookCommand | None, *, may_veto: bool) -> str | None:
    if hook is None:
        return None
    notes = [f"at most {hook.time_limit_s:g} s", f"{hook.retries} retries"]
    notes += ["veto" if hook.veto else "no veto"] if may_veto else []
    notes += [] if hook.enabled else ["off"]
    return f"{command_words(hook.arguments)} ({', '.join(notes)})"
