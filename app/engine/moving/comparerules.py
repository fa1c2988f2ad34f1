"""Compares the rules of a configuration with those that are here."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from app.contract.moving import ImportItem
from app.contract.rules import OneTime
from app.domain.errors import OperationalError
from app.domain.hooks import Hooks, command_words
from app.domain.ids import PlatformId, RuleId, StandbyId
from app.domain.messages import Message, listed
from app.domain.moving import ItemChoice, ItemKind, ItemState
from app.domain.problems import problem_message
from app.domain.rules import NAME_MAX_CHARS, BackupRule, ProtectedVm
from app.domain.standbys import normal_target_path
from app.engine.moving.collected import Collected, Known, differing_fields, free_name, is_id
from app.engine.moving.form import Configuration, RuleEntry
from app.engine.moving.reasons import BAD_ID, NEEDS_PLATFORM, NEEDS_STANDBY, TWICE

_SHOWN_VMS = 5


@dataclass(slots=True)
class Rules:
    """What becomes of the rules."""

    taken: list[BackupRule] = field(default_factory=list)
    hooks: dict[RuleId, Hooks | None] = field(default_factory=dict)
    """Of those that are taken in; None: they have none of their own."""


def compare_rules(
    configuration: Configuration,
    known: Known,
    collected: Collected,
    platforms: Mapping[str, PlatformId],
    standbys: Mapping[str, StandbyId],
) -> Rules:
    """Compare the rules; what is the same is known by its id or its name, in this order.

    Args:
        configuration: what comes.
        known: what is here.
        collected: takes what is found.
        platforms: the platform here that stands for one of the file.
        standbys: likewise.
    """
    found = Rules()
    seen: list[RuleEntry] = []
    names = {entry.standby.id: entry.standby.name for entry in configuration.standbys}
    labels = {platform.id: platform.name for platform in configuration.platforms}
    for entry in configuration.rules:
        problem = _problem(entry, seen)
        platform, standby = platforms.get(entry.platform), standbys.get(entry.standby)
        if problem is None and platform is None:
            problem = NEEDS_PLATFORM.fill(name=labels.get(PlatformId(entry.platform), entry.platform))
        elif problem is None and standby is None:
            problem = NEEDS_STANDBY.fill(name=names.get(StandbyId(entry.standby), entry.standby))
        if problem is not None or platform is None or standby is None:
            collected.refuse(ItemKind.RULE, entry.id, entry.name, _about(entry.vms), problem or BAD_ID.fill())
        else:
            seen.append(entry)
            _compare(entry, rule_of_entry(entry, platform, standby), known, collected, found)
    return found


def rule_of_entry(entry: RuleEntry, platform: PlatformId, standby: StandbyId) -> BackupRule:
    """Return a rule of a file, with the platform and the standby that stand for its own here."""
    return BackupRule(
        id=RuleId(entry.id),
        name=entry.name.strip(),
        platform=platform,
        standby=standby,
        target_path=entry.target_path,
        vms=entry.vms,
        advanced=entry.advanced,
        policy=entry.policy.policy,
        proof=entry.proof,
    )


def _compare(entry: RuleEntry, wished: BackupRule, known: Known, collected: Collected, found: Rules) -> None:
    there = next((rule for rule in known.rules if rule.id == wished.id), None) or next(
        (rule for rule in known.rules if _fold(rule.name) == _fold(wished.name)), None
    )
    ways = _ways(entry, wished, known, there, found)
    known_id = "" if there is None else there.id
    otherwise = ItemChoice.ADD if ways.state is ItemState.NEW else ItemChoice.SKIP
    if ways.problem is not None:
        collected.refuse(ItemKind.RULE, entry.id, entry.name, _about(entry.vms), ways.problem)
        return
    chosen = collected.choose(ItemKind.RULE, entry.id, tuple(ways.made), otherwise, known_id)
    made = ways.made.get(chosen)
    if made is not None:
        found.taken.append(made)
        found.hooks[made.id] = entry.hooks
    state = ways.state
    differences = () if there is None else differing_fields(replace(wished, id=there.id), there)
    collected.items.append(
        ImportItem(
            kind=ItemKind.RULE,
            key=entry.id,
            name=entry.name,
            about=_about(entry.vms),
            state=state,
            known_id=known_id,
            known_name="" if there is None else there.name,
            differences=differences if state is ItemState.DIFFERS else (),
            choices=() if state is ItemState.SAME else (*ways.made, ItemChoice.SKIP),
            chosen=chosen,
            becomes="" if made is None else made.name,
            commands=() if entry.hooks is None else commands_of(entry.hooks),
        )
    )


@dataclass(frozen=True, slots=True)
class _Ways:
    state: ItemState
    made: dict[ItemChoice, BackupRule] = field(default_factory=dict)
    """What the rule becomes with each choice that is possible."""
    problem: Message | None = None


def _ways(entry: RuleEntry, wished: BackupRule, known: Known, there: BackupRule | None, found: Rules) -> _Ways:
    if there is None:
        problem = _clash(wished, known, found, ())
        if problem is not None:
            return _Ways(ItemState.REFUSED, problem=problem)
        return _Ways(ItemState.NEW, {ItemChoice.ADD: wished})
    replacing = replace(wished, id=there.id)
    if replacing == there and known.hooks.rules.get(there.id) == entry.hooks:
        return _Ways(ItemState.SAME)
    made: dict[ItemChoice, BackupRule] = {}
    if _clash(replacing, known, found, (there.id,)) is None:
        made[ItemChoice.REPLACE] = replacing
    names = [rule.name for rule in (*known.rules, *found.taken)]
    is_id_free = all(rule.id != wished.id for rule in (*known.rules, *found.taken))
    renamed = replace(
        wished,
        id=wished.id if is_id_free else RuleId(str(uuid.uuid5(uuid.NAMESPACE_OID, f"{wished.id} {there.id}"))),
        name=free_name(wished.name, names, NAME_MAX_CHARS),
    )
    if _clash(renamed, known, found, ()) is None:
        made[ItemChoice.RENAME] = renamed
    return _Ways(ItemState.DIFFERS, made)


def _clash(rule: BackupRule, known: Known, found: Rules, gone: Iterable[RuleId]) -> Message | None:
    """Return what keeps a rule from being here with the others, or None."""
    leaving = {*gone, *(taken.id for taken in found.taken)}
    others = [*(other for other in known.rules if other.id not in leaving), *found.taken]
    taken = {vm.vm: other.name for other in others if other.platform == rule.platform for vm in other.vms}
    tentative = replace(rule, target_path=rule.target_path or ".")
    problems = tentative.problems(names_taken=[other.name for other in others], vms_taken=taken)
    return listed(problem_message(problem.value, value) for problem, value in problems)


def _problem(entry: RuleEntry, seen: list[RuleEntry]) -> Message | None:
    """Return what is wrong with a rule whatever else is here; the start of a one-time rule may have passed."""
    if not is_id(entry.id):
        return BAD_ID.fill()
    if any(other.id == entry.id or _fold(other.name) == _fold(entry.name) for other in seen):
        return TWICE.fill()
    try:
        if normal_target_path(entry.target_path) != entry.target_path:
            return problem_message("target_path_refused", entry.target_path)
    except OperationalError as error:
        return error.said()
    policy = entry.policy
    wrong = policy.policy.retry.problems() if isinstance(policy, OneTime) else policy.policy.problems()
    codes = [*wrong, *entry.proof.problems()]
    hooks = () if entry.hooks is None else entry.hooks.problems()
    return listed([*(problem_message(code.value) for code in codes), *(reason for _, reason in hooks)])


def commands_of(hooks: Hooks) -> tuple[str, ...]:
    """Return the programs that hooks run, each with its arguments in one line."""
    return tuple(
        command_words(command.arguments) for command in (hooks.before, hooks.after) if command is not None
    )


def _about(vms: tuple[ProtectedVm, ...]) -> str:
    names = ", ".join(vm.name for vm in vms[:_SHOWN_VMS])
    return names if len(vms) <= _SHOWN_VMS else f"{names}, …"


def _fold(name: str) -> str:
    return name.strip().casefold()
