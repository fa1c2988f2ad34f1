"""Compares the platforms of a configuration with those that are registered here."""

from dataclasses import dataclass, field, replace

from app.contract.moving import ImportItem
from app.domain.addresses import with_port
from app.domain.errors import OperationalError
from app.domain.ids import PlatformId
from app.domain.messages import Message
from app.domain.moving import ItemChoice, ItemKind, ItemState
from app.domain.platforms import Platform
from app.engine.moving.collected import Collected, Known, differing_fields, free_name, is_id
from app.engine.moving.form import Configuration
from app.engine.moving.reasons import BAD_ID, TWICE
from app.engine.platforms.registration import checked_address
from app.engine.registration.checks import checked_name


@dataclass(slots=True)
class Platforms:
    """What becomes of the platforms."""

    ids: dict[str, PlatformId] = field(default_factory=dict)
    """The platform here that stands for one of the file; none for one that is not taken in."""
    taken: list[Platform] = field(default_factory=list)


def compare_platforms(
    configuration: Configuration, known: Known, collected: Collected, secret_names: frozenset[str]
) -> Platforms:
    """Compare the platforms; what is the same is known by its id, its address or its name, in this order."""
    found = Platforms()
    seen: list[Platform] = []
    for platform in configuration.platforms:
        problem = _problem(platform, seen)
        if problem is None:
            seen.append(platform)
            _compare(platform, known, collected, found, secret_names)
        else:
            collected.refuse(ItemKind.PLATFORM, platform.id, platform.name, _about(platform), problem)
    return found


def _compare(
    platform: Platform, known: Known, collected: Collected, found: Platforms, secret_names: frozenset[str]
) -> None:
    same = _same(platform, known.platforms)
    named = next((other for other in known.platforms if _fold(other.name) == _fold(platform.name)), None)
    if same is not None and same.id in found.ids.values():
        collected.refuse(ItemKind.PLATFORM, platform.id, platform.name, _about(platform), TWICE.fill())
        return
    there = same or named
    wished = platform if same is None else replace(platform, id=same.id)
    state, choices = _ways(wished, known, same, named)
    differences = () if there is None else differing_fields(replace(wished, id=there.id), there)
    otherwise = ItemChoice.ADD if state is ItemState.NEW else ItemChoice.SKIP
    chosen = collected.choose(
        ItemKind.PLATFORM, platform.id, choices, otherwise, "" if there is None else there.id
    )
    made = _made(wished, chosen, known, found)
    if made is not None:
        found.taken.append(made)
        found.ids[platform.id] = made.id
    elif same is not None:
        found.ids[platform.id] = same.id
    here = found.ids.get(platform.id)
    if here is not None:
        collected.note_secrets(chosen, state, [(platform.secret_name, f"platform/{here}")])
    collected.items.append(
        ImportItem(
            kind=ItemKind.PLATFORM,
            key=platform.id,
            name=platform.name,
            about=_about(platform),
            state=state,
            known_id="" if there is None else there.id,
            known_name="" if there is None else there.name,
            differences=differences if state is ItemState.DIFFERS else (),
            choices=choices,
            chosen=chosen,
            becomes=made.name if made is not None else "",
            needs_password=made is not None
            and chosen is not ItemChoice.REPLACE
            and platform.secret_name not in secret_names,
        )
    )


def _ways(
    wished: Platform, known: Known, same: Platform | None, named: Platform | None
) -> tuple[ItemState, tuple[ItemChoice, ...]]:
    if same is None:
        if named is None:
            return ItemState.NEW, (ItemChoice.ADD, ItemChoice.SKIP)
        return ItemState.DIFFERS, (ItemChoice.RENAME, ItemChoice.SKIP)
    if wished == same:
        return ItemState.SAME, ()
    others = [other for other in known.platforms if other.id != same.id]
    collides = any(_is_at(other, wished) or _fold(other.name) == _fold(wished.name) for other in others)
    return ItemState.DIFFERS, (ItemChoice.SKIP,) if collides else (ItemChoice.REPLACE, ItemChoice.SKIP)


def _made(wished: Platform, chosen: ItemChoice, known: Known, found: Platforms) -> Platform | None:
    if chosen is ItemChoice.SKIP:
        return None
    if chosen is ItemChoice.REPLACE:
        return wished
    taken = [platform.name for platform in (*known.platforms, *found.taken)]
    if chosen is ItemChoice.RENAME:
        wished = replace(wished, name=free_name(wished.name, taken))
    return wished


def _same(platform: Platform, known: tuple[Platform, ...]) -> Platform | None:
    by_id = next((other for other in known if other.id == platform.id), None)
    return by_id or next((other for other in known if _is_at(other, platform)), None)


def _is_at(one: Platform, other: Platform) -> bool:
    return (one.address.casefold(), one.port) == (other.address.casefold(), other.port)


def _problem(platform: Platform, seen: list[Platform]) -> Message | None:
    if not is_id(platform.id):
        return BAD_ID.fill()
    try:
        checked_name(platform.name)
        checked_address(platform.address, platform.port)
    except OperationalError as error:
        return error.said()
    is_twice = any(
        other.id == platform.id or _is_at(other, platform) or _fold(other.name) == _fold(platform.name)
        for other in seen
    )
    return TWICE.fill() if is_twice else None


def _about(platform: Platform) -> str:
    return with_port(platform.address, platform.port)


def _fold(name: str) -> str:
    return name.strip().casefold()
