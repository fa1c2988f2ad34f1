"""VMs that run from restore points: a change of what is noted is durable before the change is made elsewhere."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import sqlalchemy as sa

from app.catalog.changing import changing
from app.catalog.database import Database
from app.catalog.kept_errors import pack_error, unpack_error
from app.catalog.tables import instant_recoveries, restore_journal
from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.ids import PlatformId, PointId, RecoveryId, RuleId, StandbyId, TaskId, VmId
from app.domain.instant import InstantPhase, InstantRecovery, RecoveryPurpose, Successor
from app.domain.vms import VmPlacement


class InstantStore:
    """Remembers instant recoveries. Thread: any.

    It uses connections of its own with ``synchronous=FULL``: what is noted survives a SIGKILL, and a power failure
    as well, right after the call returned.
    """

    def __init__(self, database: Database, changes: ChangeFeed) -> None:
        self._database = database
        self._changes = changes

    def add(self, recovery: InstantRecovery) -> InstantRecovery:
        """Remember a new one, and return it with its number."""
        with changing(self._database, self._changes) as transaction:
            transaction.note(Subject.INSTANT, recovery.id)
            result = transaction.connection.execute(sa.insert(instant_recoveries).values(_values(recovery)))
            (number,) = result.inserted_primary_key or (0,)
        return replace(recovery, number=number)

    def put(self, recovery: InstantRecovery) -> None:
        """Remember how one is now; one that was forgotten meanwhile stays so."""
        with changing(self._database, self._changes) as transaction:
            transaction.note(Subject.INSTANT, recovery.id)
            transaction.connection.execute(
                sa.update(instant_recoveries).where(_is(recovery.id)).values(_values(recovery))
            )

    def hand_over(self, recovery: InstantRecovery, task: TaskId) -> None:
        """Do :meth:`put`, and forget what the restore journal has of a task, both or neither."""
        with changing(self._database, self._changes) as transaction:
            transaction.note(Subject.INSTANT, recovery.id)
            connection = transaction.connection
            connection.execute(sa.delete(restore_journal).where(restore_journal.c.task_id == task))
            connection.execute(sa.update(instant_recoveries).where(_is(recovery.id)).values(_values(recovery)))

    def remove(self, recovery: RecoveryId) -> None:
        """Forget one; nothing of it is anywhere any more."""
        with changing(self._database, self._changes) as transaction:
            transaction.note(Subject.INSTANT, recovery)
            transaction.connection.execute(sa.delete(instant_recoveries).where(_is(recovery)))

    def get(self, recovery: RecoveryId) -> InstantRecovery | None:
        """Return one, or None, also where it cannot be read."""
        return next(iter(self._find(_is(recovery))), None)

    def all(self) -> Sequence[InstantRecovery]:
        """Return all, the newest first."""
        return self._find(sa.true())

    def _find(self, condition: sa.ColumnElement[bool]) -> Sequence[InstantRecovery]:
        query = sa.select(instant_recoveries).where(condition).order_by(instant_recoveries.c.number.desc())
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return self._database.unreadable.readable(instant_recoveries, rows, _recovery)


def _is(recovery: RecoveryId) -> sa.ColumnElement[bool]:
    return instant_recoveries.c.id == recovery


def _values(recovery: InstantRecovery) -> dict[str, Any]:
    error = recovery.error
    return {
        "id": recovery.id,
        "created_at": recovery.created_at,
        "phase": recovery.phase.value,
        "purpose": recovery.purpose.value,
        "platform_id": recovery.platform,
        "standby_id": recovery.standby,
        "target_path": recovery.target_path,
        "point_id": recovery.point,
        "rule_id": recovery.rule,
        "rule_name": recovery.rule_name,
        "vm_name": recovery.vm_name,
        "placement": msgspec.json.encode(recovery.placement).decode(),
        "power_on": recovery.power_on,
        "address": recovery.address,
        "host": recovery.host,
        "host_name": recovery.host_name,
        "datastore": recovery.datastore,
        "configuration": recovery.configuration,
        "pin": recovery.pin,
        "vm": recovery.vm,
        "task_id": recovery.task,
        "successor": None if recovery.successor is None else msgspec.json.encode(recovery.successor).decode(),
        "error_code": None if error is None else error.code,
        "error_params": pack_error(error),
    }


def _recovery(row: sa.Row[Any]) -> InstantRecovery:
    return InstantRecovery(
        id=RecoveryId(row.id),
        number=row.number,
        created_at=row.created_at,
        phase=InstantPhase(row.phase),
        purpose=RecoveryPurpose(row.purpose),
        platform=PlatformId(row.platform_id),
        standby=StandbyId(row.standby_id),
        target_path=row.target_path,
        point=PointId(row.point_id),
        rule=None if row.rule_id is None else RuleId(row.rule_id),
        rule_name=row.rule_name,
        vm_name=row.vm_name,
        placement=msgspec.json.decode(row.placement, type=VmPlacement),
        power_on=row.power_on,
        address=row.address,
        host=row.host,
        host_name=row.host_name,
        datastore=row.datastore,
        configuration=row.configuration,
        pin=row.pin,
        vm=None if row.vm is None else VmId(row.vm),
        task=None if row.task_id is None else TaskId(row.task_id),
        successor=None if row.successor is None else msgspec.json.decode(row.successor, type=Successor),
        error=unpack_error(row.error_code, row.error_params),
    )
