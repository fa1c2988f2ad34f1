"""Compares the standby machines of a configuration with those that are registered here."""

from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath, PureWindowsPath

from app.contract.moving import ImportItem
from app.domain.errors import OperationalError
from app.domain.ids import StandbyId
from app.domain.messages import Message
from app.domain.moving import ItemChoice, ItemKind, ItemState, StandbyWithRepositories
from app.domain.standbys import EncryptionMode, Standby, normal_target_path
from app.engine.moving.collected import Collected, Known, differing_fields, free_name, is_id
from app.engine.moving.form import Configuration, StandbyEntry
from app.engine.moving.reasons import BAD_ID, PATH_TAKEN, PATH_UNUSABLE, TWICE
from app.engine.registration.checks import checked_name

_STRENGTH = (EncryptionMode.OFF, EncryptionMode.CONTENTS, EncryptionMode.NAMES)


@dataclass(slots=True)
class Standbys:
    """What becomes of the standby machines."""

    ids: dict[str, StandbyId] = field(default_factory=dict)
    """The standby here that stands for one of the file; none for one that is not taken in."""
    taken: list[StandbyWithRepositories] = field(default_factory=list)


def compare_standbys(configuration: Configuration, known: Known, collected: Collected) -> Standbys:
    """Compare the standby machines; what is the same is known by its id, its mark, its path or its name."""
    found = Standbys()
    seen: list[Standby] = []
    for entry in configuration.standbys:
        problem = _problem(entry, seen, known)
        if problem is None:
            seen.append(entry.standby)
            _compare(entry, known, collected, found)
        else:
            standby = entry.standby
            collected.refuse(ItemKind.STANDBY, standby.id, standby.name, standby.root_path, problem)
    return found


def _compare(entry: StandbyEntry, known: Known, collected: Collected, found: Standbys) -> None:
    comes = entry.standby
    same = _same(comes, known)
    named = next((other for other in known.standbys if _fold(other.standby.name) == _fold(comes.name)), None)
    if same is not None and same.standby.id in found.ids.values():
        collected.refuse(ItemKind.STANDBY, comes.id, comes.name, comes.root_path, TWICE.fill())
        return
    there = same or named
    wished = _merged(entry, same)
    state, choices = _ways(wished, known, same, named)
    otherwise = ItemChoice.ADD if state is ItemState.NEW else ItemChoice.SKIP
    known_id = "" if there is None else there.standby.id
    chosen = collected.choose(ItemKind.STANDBY, comes.id, choices, otherwise, known_id)
    made = wished if chosen in (ItemChoice.ADD, ItemChoice.REPLACE) else None
    if chosen is ItemChoice.RENAME:
        taken = [other.standby.name for other in (*known.standbys, *found.taken)]
        made = replace(wished, standby=replace(wished.standby, name=free_name(comes.name, taken)))
    if made is not None:
        found.taken.append(made)
        found.ids[comes.id] = made.standby.id
    elif same is not None:
        found.ids[comes.id] = same.standby.id
    _note_secrets(entry, chosen, state, collected, found)
    differences = () if same is None else differing_fields(wished.standby, same.standby)
    collected.items.append(
        ImportItem(
            kind=ItemKind.STANDBY,
            key=comes.id,
            name=comes.name,
            about=comes.root_path,
            state=state,
            known_id=known_id,
            known_name="" if there is None else there.standby.name,
            differences=differences if state is ItemState.DIFFERS else (),
            choices=choices,
            chosen=chosen,
            becomes="" if made is None else made.standby.name,
        )
    )


def _ways(
    wished: StandbyWithRepositories,
    known: Known,
    same: StandbyWithRepositories | None,
    named: StandbyWithRepositories | None,
) -> tuple[ItemState, tuple[ItemChoice, ...]]:
    if same is None:
        if named is None:
            return ItemState.NEW, (ItemChoice.ADD, ItemChoice.SKIP)
        return ItemState.DIFFERS, (ItemChoice.RENAME, ItemChoice.SKIP)
    if wished.standby == same.standby and set(wished.repositories) <= set(same.repositories):
        return ItemState.SAME, ()
    others = [other.standby for other in known.standbys if other.standby.id != same.standby.id]
    collides = any(
        _fold(other.name) == _fold(wished.standby.name) or other.root_path == wished.standby.root_path
        for other in others
    )
    return ItemState.DIFFERS, (ItemChoice.SKIP,) if collides else (ItemChoice.REPLACE, ItemChoice.SKIP)


def _merged(entry: StandbyEntry, same: StandbyWithRepositories | None) -> StandbyWithRepositories:
    """Return what a standby becomes: its mark stays as it is known here, and encryption is never given up."""
    rows = tuple((row.target_path, row.id, row.is_encrypted) for row in entry.repositories)
    if same is None:
        return StandbyWithRepositories(standby=entry.standby, repositories=rows)
    here = same.standby
    standby = replace(
        entry.standby,
        id=here.id,
        mark=here.mark or entry.standby.mark,
        encryption=max(entry.standby.encryption, here.encryption, key=_STRENGTH.index),
    )
    noted = {path for path, _, _ in same.repositories}
    return StandbyWithRepositories(standby=standby, repositories=tuple(row for row in rows if row[0] not in noted))


def _note_secrets(
    entry: StandbyEntry, chosen: ItemChoice, state: ItemState, collected: Collected, found: Standbys
) -> None:
    here = found.ids.get(entry.standby.id)
    if here is None:
        return
    collected.note_secrets(chosen, state, [(entry.standby.secret_name, f"standby/{here}")])
    keys = [f"repository/{row.id}" for row in entry.repositories if row.is_encrypted]
    if chosen is not ItemChoice.SKIP or state is ItemState.SAME:  # a repository here keeps the key that it has
        collected.missing_secrets += [(key, key) for key in keys]


def _same(standby: Standby, known: Known) -> StandbyWithRepositories | None:
    for fits in (_has_id, _has_mark, _has_path):
        for other in known.standbys:
            if fits(other.standby, standby):
                return other
    return None


def _has_id(one: Standby, other: Standby) -> bool:
    return one.id == other.id


def _has_mark(one: Standby, other: Standby) -> bool:
    return one.mark is not None and one.mark == other.mark


def _has_path(one: Standby, other: Standby) -> bool:
    return one.root_path == other.root_path and None in (one.mark, other.mark)


def _problem(entry: StandbyEntry, seen: list[Standby], known: Known) -> Message | None:
    standby = entry.standby
    if not is_id(standby.id) or not all(is_id(row.id) for row in entry.repositories):
        return BAD_ID.fill()
    if not _is_absolute(standby.root_path):
        return PATH_UNUSABLE.fill()
    try:
        checked_name(standby.name)
        if any(normal_target_path(row.target_path) != row.target_path for row in entry.repositories):
            return PATH_UNUSABLE.fill()
    except OperationalError as error:
        return error.said()
    if any(standby.id == other.id or standby.root_path == other.root_path for other in seen) or any(
        _fold(standby.name) == _fold(other.name) for other in seen
    ):
        return TWICE.fill()
    if _same(standby, known) is None:
        for row in known.standbys:
            if row.standby.root_path == standby.root_path:
                return PATH_TAKEN.fill(name=row.standby.name)
    return None


def _is_absolute(path: str) -> bool:
    """Return whether a path is absolute on this or another system: it may be mounted elsewhere here."""
    return "\0" not in path and (PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute())


def _fold(name: str) -> str:
    return name.strip().casefold()
