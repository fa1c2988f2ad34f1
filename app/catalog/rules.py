"""Backup rules with their VMs, and which VM took the place of which."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from app.catalog.changing import Changing, changing
from app.catalog.database import Database
from app.catalog.figures import follow_vm
from app.catalog.packed import fetch_packed
from app.catalog.proofs import rename_proven
from app.catalog.reading import UnreadableRows
from app.catalog.remembered import Remembered
from app.catalog.tables import retries, rule_vms, rules, vm_successions
from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.ids import PlatformId, RuleId, StandbyId, VmId
from app.domain.policies import BackupPolicy, OneTimePolicy, PeriodicPolicy, RetryPlan
from app.domain.proofs import ProofPolicy
from app.domain.rules import AdvancedSettings, BackupRule, ProtectedVm


class _KeptPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    one_time: OneTimePolicy | None = None
    periodic: PeriodicPolicy | None = None


class RuleStore:
    """Stores rules. Thread: any."""

    def __init__(
        self, database: Database, changes: ChangeFeed, on_moved: Callable[[], None] = lambda: None
    ) -> None:
        """Keep them in a database; ``on_moved`` is called after VMs have other ids, or went with a rule."""
        self._database = database
        self._changes = changes
        self._on_moved = on_moved
        self._all: Remembered[tuple[BackupRule, ...]] = Remembered(is_alone=database.is_ours_alone)

    @contextmanager
    def _write(self) -> Iterator[Changing]:
        """Give a transaction that changes the rules that it notes; what is remembered of the others stays."""
        with changing(self._database, self._changes, self._on_moved) as transaction:
            yield transaction
            changed = transaction.noted(Subject.RULES)
            fresh = (
                _read(transaction.connection, rules.c.id.in_(changed), self._database.unreadable)
                if changed
                else []
            )

            def replaced(known: tuple[BackupRule, ...]) -> tuple[BackupRule, ...]:
                others = [rule for rule in known if rule.id not in changed]
                return tuple(sorted([*others, *fresh], key=lambda rule: rule.name))

            transaction.then(lambda: self._all.change(replaced))

    def add(self, rule: BackupRule, created_at: datetime, considered_until: datetime) -> None:
        """Remember a new rule, of which runs up to a moment count as dealt with."""
        with self._write() as transaction:
            connection = transaction.connection
            transaction.note(Subject.RULES, rule.id)
            transaction.note(Subject.PLATFORMS, rule.platform)
            transaction.note(Subject.STANDBYS, rule.standby)
            self._give_way(connection, rule.platform, rule.vms, rule.name)
            values = {**_values(rule), "created_at": created_at, "considered_until": considered_until}
            connection.execute(sa.insert(rules).values(id=rule.id, **values))
            _insert_vms(connection, rule.id, rule.platform, rule.vms, 0)

    # --- taking in -----------------------------------------------------------------------------------------------

    def put_in(self, transaction: Changing, rule: BackupRule, at: datetime) -> None:
        """Add a rule, or put it in the place of the one with its id, in a transaction of the caller.

        Its runs up to ``at`` count as dealt with. The caller let go of the VMs of all rules that are put with
        :meth:`release_vms_in` before, and calls :meth:`forget` at the end.
        """
        connection = transaction.connection
        for subject, key in (
            (Subject.RULES, rule.id),
            (Subject.PLATFORMS, rule.platform),
            (Subject.STANDBYS, rule.standby),
        ):
            transaction.note(subject, key)
        self._give_way(connection, rule.platform, rule.vms, rule.name)
        values = {**_values(rule), "considered_until": at}
        if not connection.execute(sa.update(rules).where(rules.c.id == rule.id).values(**values)).rowcount:
            connection.execute(sa.insert(rules).values(id=rule.id, created_at=at, **values))
        _insert_vms(connection, rule.id, rule.platform, rule.vms, 0)

    def release_vms_in(self, transaction: Changing, rule: RuleId) -> None:
        """Take all VMs out of a rule that is about to be put, in a transaction of the caller."""
        transaction.connection.execute(sa.delete(rule_vms).where(rule_vms.c.rule_id == rule))

    def forget(self) -> None:
        """Forget what is remembered of the tables: they were written to."""
        self._all.forget()
        self._on_moved()

    def _give_way(
        self, connection: sa.Connection, platform: str, vms: Iterable[ProtectedVm], name: str = ""
    ) -> None:
        """Let rules that cannot be read give up a name and VMs; nothing else can take these away from them."""
        readable = [rule.id for rule in _read(connection, sa.true(), self._database.unreadable)]
        connection.execute(sa.delete(rules).where(rules.c.name == name, rules.c.id.not_in(readable)))
        here = (rule_vms.c.platform_id == platform) & rule_vms.c.vm.in_([vm.vm for vm in vms])
        connection.execute(sa.delete(rule_vms).where(here, rule_vms.c.rule_id.not_in(readable)))

    def set_policy(self, rule: RuleId, policy: BackupPolicy, considered_until: datetime) -> None:
        """Give a rule another policy, of which runs up to a moment count as dealt with."""
        with self._write() as transaction:
            connection = transaction.connection
            transaction.note(Subject.RULES, rule)
            connection.execute(
                sa.update(rules)
                .where(rules.c.id == rule)
                .values(policy=_packed(policy), considered_until=considered_until)
            )

    def set_retry(self, rule: RuleId, retry: RetryPlan) -> None:
        """Give a rule another plan for failed backups; its policy stays."""
        with self._write() as transaction:
            connection = transaction.connection
            transaction.note(Subject.RULES, rule)
            row = connection.execute(sa.select(rules.c.policy).where(rules.c.id == rule)).one_or_none()
            if row is not None:
                policy = _packed(replace(_unpacked(row.policy), retry=retry))
                connection.execute(sa.update(rules).where(rules.c.id == rule).values(policy=policy))

    def set_proof(self, rule: RuleId, proof: ProofPolicy) -> None:
        """Give a rule other settings for proofs of restore."""
        with self._write() as transaction:
            transaction.note(Subject.RULES, rule)
            packed = msgspec.json.encode(proof).decode()
            transaction.connection.execute(sa.update(rules).where(rules.c.id == rule).values(proof=packed))

    def add_vms(self, rule: RuleId, vms: Iterable[ProtectedVm]) -> None:
        """Put VMs behind those of a rule."""
        with self._write() as transaction:
            connection = transaction.connection
            transaction.note(Subject.RULES, rule)
            chosen = list(vms)
            row = connection.execute(sa.select(rules.c.platform_id).where(rules.c.id == rule)).one()
            self._give_way(connection, row.platform_id, chosen)
            last = sa.select(sa.func.max(rule_vms.c.position)).where(rule_vms.c.rule_id == rule)
            position = connection.execute(last).scalar_one()
            _insert_vms(connection, rule, row.platform_id, chosen, 0 if position is None else position + 1)

    def remove_vms(self, rule: RuleId, vms: Collection[VmId]) -> None:
        """Take VMs out of a rule."""
        with self._write() as transaction:
            connection = transaction.connection
            transaction.note(Subject.RULES, rule)
            connection.execute(sa.delete(rule_vms).where(rule_vms.c.rule_id == rule, rule_vms.c.vm.in_(list(vms))))

    def set_started(self, rule: RuleId, vms: Collection[VmId], *, started: bool) -> None:
        """Note that VMs of a rule were started or stopped by the operator."""
        with self._write() as transaction:
            connection = transaction.connection
            transaction.note(Subject.RULES, rule)
            connection.execute(
                sa.update(rule_vms)
                .where(rule_vms.c.rule_id == rule, rule_vms.c.vm.in_(list(vms)))
                .values(is_started=started)
            )

    def remove(self, rule: RuleId) -> None:
        """Forget a rule; nothing happens when there is none."""
        with self._write() as transaction:
            connection = transaction.connection
            _note_owners(transaction, rule)
            transaction.note(Subject.RULES, rule)
            connection.execute(sa.delete(rules).where(rules.c.id == rule))

    def get(self, rule: RuleId) -> BackupRule | None:
        """Return one rule, or None."""
        with self._database.read() as connection:
            found = _read(connection, rules.c.id == rule, self._database.unreadable)
        return found[0] if found else None

    def all(self) -> tuple[BackupRule, ...]:
        """Return every rule, by name; the same objects as long as no rule is changed."""

        def read() -> tuple[BackupRule, ...]:
            with self._database.read() as connection:
                return tuple(_read(connection, sa.true(), self._database.unreadable))

        return self._all.get(read)

    def considered(self) -> dict[RuleId, datetime]:
        """Return, for each rule, the moment up to which its runs are dealt with."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(rules.c.id, rules.c.considered_until))
            moments = ((RuleId(row.id), row.considered_until) for row in rows)
            return {rule: until for rule, until in moments if isinstance(until, datetime)}

    def consider(self, rule: RuleId, until: datetime) -> None:
        """Note that all runs of a rule up to a moment are dealt with."""
        with changing(self._database, self._changes) as transaction:
            transaction.note(Subject.RULES, rule)
            transaction.connection.execute(
                sa.update(rules).where(rules.c.id == rule).values(considered_until=until)
            )

    # --- VMs that took the place of others -----------------------------------------------------------------------

    def succeed_all(
        self,
        platform: PlatformId,
        moves: Mapping[VmId, VmId],
        at: datetime,
        expected: Mapping[VmId, ProtectedVm] | None = None,
    ) -> dict[VmId, RuleId]:
        """Note that VMs took the places of others, and put them into the others' rules.

        What a rule remembers of a VM (ended tasks, log, figures, traffic) is the new one's from now on. Several at
        once may take each other's ids.

        Args:
            platform: where they are.
            moves: the new id of each, by its old one.
            at: the moment.
            expected: what the rules knew of them when this was decided; where that has changed since, another
                task was quicker, and nothing is done.

        Returns:
            The rule of each VM that is in one, by the VM's old id.
        """
        with self._write() as transaction:
            connection = transaction.connection
            if not all(_is_still(connection, platform, old, vm) for old, vm in (expected or {}).items()):
                return {}
            rules_of = {old: _rule_of(connection, platform, old) for old in moves}
            _note_successions(connection, platform, moves, at)
            _note_moves(transaction, rules_of.values())
            interim = {old: f"{old} -> {moves[old]}" for old in moves.keys() & set(moves.values())}
            for old, name in interim.items():  # which no VM has: another takes this one's id
                _rename(connection, platform, rules_of[old], old, name)
            for old, new in moves.items():
                _rename(connection, platform, rules_of[old], interim.get(old, old), new)
        return {old: RuleId(rule) for old, rule in rules_of.items() if rule is not None}

    def identify(self, platform: PlatformId, vm: ProtectedVm) -> None:
        """Note by what a VM is known that is in a rule; nothing happens when it is in none."""
        values = {name: getattr(vm, name) for name in _IDENTITY}
        here = (rule_vms.c.platform_id == platform) & (rule_vms.c.vm == vm.vm)
        with self._write() as transaction:
            connection = transaction.connection
            connection.execute(sa.update(rule_vms).where(here).values(**values))
            transaction.note(Subject.RULES, _rule_of(connection, platform, vm.vm))

    def successions(self, platform: PlatformId) -> dict[VmId, VmId]:
        """Return, for each VM of a platform whose place was taken, the one that took it."""
        query = sa.select(vm_successions).where(vm_successions.c.platform_id == platform)
        with self._database.read() as connection:
            return {VmId(row.old_vm): VmId(row.new_vm) for row in connection.execute(query)}


_IDENTITY = ("instance_uuid", "bios_uuid", "platform_uuid")


def _note_owners(transaction: Changing, rule: str) -> None:
    """Note the platform and the standby of a rule, which count their rules."""
    query = sa.select(rules.c.platform_id, rules.c.standby_id).where(rules.c.id == rule)
    row = transaction.connection.execute(query).one_or_none()
    if row is not None:
        transaction.note(Subject.PLATFORMS, row.platform_id)
        transaction.note(Subject.STANDBYS, row.standby_id)


def _note_moves(transaction: Changing, moved: Iterable[str | None]) -> None:
    """Note the rules of VMs that have other ids; their ended tasks, figures and log lines went with them."""
    found = tuple(moved)
    for subject in (Subject.RULES, Subject.FIGURES):
        transaction.note(subject, *found, None)
    transaction.note(Subject.TASKS)
    transaction.note(Subject.LOG)
    transaction.note(Subject.POINTS)


def _rule_of(connection: sa.Connection, platform: str, vm: str) -> str | None:
    here = (rule_vms.c.platform_id == platform) & (rule_vms.c.vm == vm)
    return connection.execute(sa.select(rule_vms.c.rule_id).where(here)).scalar_one_or_none()


def _is_still(connection: sa.Connection, platform: str, vm: str, expected: ProtectedVm) -> bool:
    here = (rule_vms.c.platform_id == platform) & (rule_vms.c.vm == vm)
    row = connection.execute(sa.select(rule_vms.c.name, rule_vms.c.instance_uuid).where(here)).one_or_none()
    return row is not None and (row.name, row.instance_uuid) == (expected.name, expected.instance_uuid)


def _note_successions(connection: sa.Connection, platform: str, moves: Mapping[VmId, VmId], at: datetime) -> None:
    kept = vm_successions.c.platform_id == platform
    rows = connection.execute(sa.select(vm_successions.c.old_vm, vm_successions.c.new_vm).where(kept))
    known: dict[str, str] = {row.old_vm: row.new_vm for row in rows}
    # A VM that has an id again that it had before is not succeeded there any more.
    back = {new for old, new in moves.items() if new not in moves and _leads_to(known, new, old)}
    connection.execute(sa.delete(vm_successions).where(kept, vm_successions.c.old_vm.in_({*moves, *back})))
    for old, new in moves.items():
        connection.execute(sa.insert(vm_successions).values(platform_id=platform, old_vm=old, new_vm=new, at=at))


def _leads_to(known: Mapping[str, str], first: str, last: str) -> bool:
    seen: set[str] = set()
    while first in known and first not in seen:
        seen.add(first)
        first = known[first]
        if first == last:
            return True
    return False


def _rename(connection: sa.Connection, platform: str, rule: str | None, old: str, new: str) -> None:
    if rule is None:
        return
    here = (rule_vms.c.platform_id == platform) & (rule_vms.c.vm == old)
    connection.execute(sa.update(rule_vms).where(here).values(vm=new))
    again = (retries.c.rule_id == rule) & (retries.c.vm == old)
    connection.execute(sa.update(retries).where(again).values(vm=new))
    rename_proven(connection, rule, old, new)
    follow_vm(connection, rule, old, new)


def _values(rule: BackupRule) -> dict[str, str]:
    return {
        "name": rule.name,
        "platform_id": rule.platform,
        "standby_id": rule.standby,
        "target_path": rule.target_path,
        "advanced": msgspec.json.encode(rule.advanced).decode(),
        "policy": _packed(rule.policy),
        "proof": msgspec.json.encode(rule.proof).decode(),
    }


def _packed(policy: BackupPolicy) -> str:
    if isinstance(policy, OneTimePolicy):
        return msgspec.json.encode(_KeptPolicy(one_time=policy)).decode()
    return msgspec.json.encode(_KeptPolicy(periodic=policy)).decode()


def _unpacked(text: str) -> BackupPolicy:
    kept = msgspec.json.decode(text, type=_KeptPolicy)
    policy = kept.one_time or kept.periodic
    if policy is None:
        raise ValueError("neither a one-time nor a periodic policy")
    return policy


def _insert_vms(
    connection: sa.Connection, rule: RuleId, platform: str, vms: Iterable[ProtectedVm], position: int
) -> None:
    rows = [
        {
            "rule_id": rule,
            "vm": vm.vm,
            "platform_id": platform,
            "position": position + number,
            "name": vm.name,
            "is_started": vm.is_started,
            **{name: getattr(vm, name) for name in _IDENTITY},
        }
        for number, vm in enumerate(vms)
    ]
    if rows:
        connection.execute(sa.insert(rule_vms), rows)


def _read(
    connection: sa.Connection, where: sa.ColumnElement[bool], unreadable: UnreadableRows
) -> list[BackupRule]:
    rows = fetch_packed(connection, sa.select(rules).where(where).order_by(rules.c.name))
    members: dict[str, list[ProtectedVm]] = {}
    chosen = sa.select(rules.c.id).where(where)
    query = sa.select(rule_vms).where(rule_vms.c.rule_id.in_(chosen))
    chosen_vms = fetch_packed(connection, query.order_by(rule_vms.c.rule_id, rule_vms.c.position))
    for rule, vm in unreadable.readable(rule_vms, chosen_vms, _member):
        members.setdefault(rule, []).append(vm)
    return unreadable.readable(rules, rows, lambda row: _rule(row, members.get(row.id, [])))


def _member(row: sa.Row[Any]) -> tuple[str, ProtectedVm]:
    return row.rule_id, ProtectedVm(
        vm=VmId(row.vm),
        name=row.name,
        is_started=row.is_started,
        instance_uuid=row.instance_uuid,
        bios_uuid=row.bios_uuid,
        platform_uuid=row.platform_uuid,
    )


def _rule(row: sa.Row[Any], vms: Iterable[ProtectedVm]) -> BackupRule:
    return BackupRule(
        id=RuleId(row.id),
        name=row.name,
        platform=PlatformId(row.platform_id),
        standby=StandbyId(row.standby_id),
        target_path=row.target_path,
        vms=tuple(vms),
        advanced=msgspec.json.decode(row.advanced, type=AdvancedSettings),
        policy=_unpacked(row.policy),
        proof=msgspec.json.decode(row.proof, type=ProofPolicy) if row.proof else ProofPolicy(),
    )
