"""Compares the settings of a configuration with those that are kept here."""

from collections.abc import Mapping

import msgspec

from app.contract.moving import ImportItem
from app.domain.hooks import AllHooks, Hooks
from app.domain.ids import RuleId
from app.domain.messages import Message, listed
from app.domain.moving import ItemChoice, ItemKind, ItemState
from app.domain.notifications import NotificationSettings
from app.engine.moving.collected import Collected, Known, differing_fields
from app.engine.moving.comparerules import commands_of
from app.engine.moving.form import Configuration
from app.engine.moving.reasons import SETTINGS_UNUSABLE
from app.engine.notify.settings import EMAIL_SECRET, WEBHOOK_SECRET

HOOKS_DOCUMENT = "hooks"
NOTIFICATIONS_DOCUMENT = "notifications"


def compare_settings(
    configuration: Configuration, known: Known, collected: Collected, rule_hooks: Mapping[RuleId, Hooks | None]
) -> dict[str, str]:
    """Compare the settings; return the documents that an import puts in the place of those that are kept.

    Args:
        configuration: what comes.
        known: what is here.
        collected: takes what is found.
        rule_hooks: the hooks of the rules that are taken in.
    """
    documents: dict[str, str] = {}
    if configuration.notifications is not None:
        comes = configuration.notifications
        problem = listed(reason for _, reason in comes.problems())
        chosen = _settle(
            ItemKind.NOTIFICATIONS, comes, known.notifications, NotificationSettings(), collected, problem
        )
        if chosen is not ItemChoice.SKIP:
            documents[NOTIFICATIONS_DOCUMENT] = msgspec.json.encode(comes).decode()
    common = known.hooks.common
    if configuration.hooks is not None:
        problem = listed(reason for _, reason in configuration.hooks.problems())
        chosen = _settle(ItemKind.HOOKS, configuration.hooks, common, Hooks(), collected, problem)
        if chosen is not ItemChoice.SKIP:
            common = configuration.hooks
    kept = {**known.hooks.rules, **rule_hooks}
    hooks = AllHooks(common=common, rules={rule: own for rule, own in kept.items() if own is not None})
    if hooks != known.hooks:
        documents[HOOKS_DOCUMENT] = msgspec.json.encode(hooks).decode()
    return documents


def _settle(
    kind: ItemKind,
    comes: NotificationSettings | Hooks,
    here: NotificationSettings | Hooks,
    untouched: NotificationSettings | Hooks,
    collected: Collected,
    problem: Message | None,
) -> ItemChoice:
    if problem is not None:
        collected.refuse(kind, "", kind.value, "", SETTINGS_UNUSABLE.fill(reason=problem))
        return ItemChoice.SKIP
    choices: tuple[ItemChoice, ...] = (ItemChoice.REPLACE, ItemChoice.SKIP)
    state, otherwise = ItemState.DIFFERS, ItemChoice.SKIP
    if comes == here:
        state, choices = ItemState.SAME, ()
    elif here == untouched:
        state, choices, otherwise = ItemState.NEW, (ItemChoice.ADD, ItemChoice.SKIP), ItemChoice.ADD
    chosen = collected.choose(kind, "", choices, otherwise)
    if kind is ItemKind.NOTIFICATIONS:
        collected.note_secrets(chosen, state, [(name, name) for name in (EMAIL_SECRET, WEBHOOK_SECRET)])
    collected.items.append(
        ImportItem(
            kind=kind,
            key="",
            name=kind.value,
            about="",
            state=state,
            differences=differing_fields(comes, here) if state is ItemState.DIFFERS else (),
            choices=choices,
            chosen=chosen,
            commands=commands_of(comes) if isinstance(comes, Hooks) else (),
        )
    )
    return chosen
