"""Proofs of restore: the newest one of each point, its picture, and when each VM was last proven."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from app.catalog.changing import changing
from app.catalog.database import Database
from app.catalog.reading import UNREADABLE, Unreadable
from app.catalog.remembered import Remembered
from app.catalog.tables import point_proofs, points, proven_vms, rules
from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.ids import PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.messages import Message
from app.domain.proofs import ProofKind, ProofOutcome, ProvenVm, RestoreProof

_log = logging.getLogger(__name__)

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Message).decode
_Proven = Mapping[tuple[RuleId, VmId], ProvenVm]


class ProofStore:
    """Stores proofs of restore. Thread: any."""

    def __init__(self, database: Database, changes: ChangeFeed) -> None:
        self._database = database
        self._changes = changes
        self._proven: Remembered[_Proven] = Remembered(is_alone=database.is_ours_alone)

    def forget(self) -> None:
        """Read again when VMs were proven: VMs have other ids, or went with a rule."""
        self._proven.forget()

    def put(
        self,
        standby: StandbyId,
        target_path: str,
        point: PointId,
        proof: RestoreProof,
        picture: bytes | None,
        member: tuple[RuleId, VmId] | None,
    ) -> None:
        """Note a proof in place of the point's last one; without the point, only what its VM has of it.

        Args:
            standby: where the point is.
            target_path: of its repository.
            point: the point.
            proof: how it ended.
            picture: of the VM's console, a PNG file.
            member: the rule and the VM in it that the point is of; None: it is of none.
        """
        here = _at(standby, target_path, point)
        with changing(self._database, self._changes, self._proven.forget) as transaction:
            connection = transaction.connection
            connection.execute(sa.delete(point_proofs).where(here))
            is_there = connection.execute(sa.select(points.c.id).where(_point_at(standby, target_path, point)))
            if is_there.first() is not None:
                values = _values(standby, target_path, point, proof, picture)
                connection.execute(sa.insert(point_proofs).values(values))
            transaction.note(Subject.POINTS, standby)
            if member is not None and proof.is_proven and _is_rule(connection, member[0]):
                this = (proven_vms.c.rule_id == member[0]) & (proven_vms.c.vm == member[1])
                connection.execute(sa.delete(proven_vms).where(this))
                of_vm = {"rule_id": member[0], "vm": member[1], "at": proof.at, "kind": proof.kind.value}
                connection.execute(sa.insert(proven_vms).values(of_vm))
            if member is not None:
                transaction.note(Subject.RULES, member[0])

    def picture(self, standby: StandbyId, target_path: str, point: PointId) -> tuple[bytes, datetime] | None:
        """Return the picture of a point's newest proof and when it ended, or None."""
        query = sa.select(point_proofs.c.picture, point_proofs.c.at).where(_at(standby, target_path, point))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or not isinstance(row.picture, bytes) or not isinstance(row.at, datetime):
            return None
        return row.picture, row.at

    def last_proven(self) -> Mapping[tuple[RuleId, VmId], ProvenVm]:
        """Return when each VM in a rule was last proven; without those that never were."""

        def read() -> _Proven:
            with self._database.read() as connection:
                rows = connection.execute(sa.select(proven_vms)).all()
            return dict(self._database.unreadable.readable(proven_vms, rows, _proven))

        return self._proven.get(read)


def with_proof(query: sa.Select[Any]) -> sa.Select[Any]:
    """Add the newest proof of each point to a query for points."""
    here = sa.and_(*(points.c[name] == point_proofs.c[name] for name in ("standby_id", "target_path", "id")))
    columns = [point_proofs.c[name].label(f"proof_{name}") for name in _SHOWN]
    pictured = point_proofs.c.picture.is_not(None).label("proof_pictured")
    return query.add_columns(*columns, pictured).outerjoin(point_proofs, here)


_SHOWN: Final = ("kind", "outcome", "at", "reason", "task_id", "seconds")


def proof_of(row: sa.Row[Any]) -> RestoreProof | None:
    """Return the proof of a row of such a query; None where there is none, or it cannot be read."""
    if row.proof_kind is None or isinstance(row.proof_at, Unreadable):
        return None
    try:
        return RestoreProof(
            kind=ProofKind(row.proof_kind),
            outcome=ProofOutcome(row.proof_outcome),
            at=row.proof_at,
            reason=_decode(row.proof_reason),
            task=None if row.proof_task_id is None else TaskId(row.proof_task_id),
            seconds=float(row.proof_seconds),
            has_picture=bool(row.proof_pictured),
        )
    except UNREADABLE as error:
        _log.warning("the proof of the restore point %s cannot be read: %s", row.id, error)
        return None


def forget_proof(connection: sa.Connection, standby: StandbyId, target_path: str, point: PointId) -> None:
    """Forget the proof of a point that is gone; when its VM was last proven stays known."""
    connection.execute(sa.delete(point_proofs).where(_at(standby, target_path, point)))


def rename_proven(connection: sa.Connection, rule: str, old: str, new: str) -> None:
    """Let a VM of a rule have another id."""
    connection.execute(sa.delete(proven_vms).where(proven_vms.c.rule_id == rule, proven_vms.c.vm == new))
    here = (proven_vms.c.rule_id == rule) & (proven_vms.c.vm == old)
    connection.execute(sa.update(proven_vms).where(here).values(vm=new))


def _at(standby: StandbyId, target_path: str, point: PointId) -> sa.ColumnElement[bool]:
    table = point_proofs.c
    return sa.and_(table.standby_id == standby, table.target_path == target_path, table.id == point)


def _point_at(standby: StandbyId, target_path: str, point: PointId) -> sa.ColumnElement[bool]:
    table = points.c
    return sa.and_(table.standby_id == standby, table.target_path == target_path, table.id == point)


def _is_rule(connection: sa.Connection, rule: RuleId) -> bool:
    return connection.execute(sa.select(rules.c.id).where(rules.c.id == rule)).first() is not None


def _values(
    standby: StandbyId, target_path: str, point: PointId, proof: RestoreProof, picture: bytes | None
) -> dict[str, Any]:
    return {
        "standby_id": standby,
        "target_path": target_path,
        "id": point,
        "kind": proof.kind.value,
        "outcome": proof.outcome.value,
        "at": proof.at,
        "reason": _encode(proof.reason).decode(),
        "task_id": proof.task,
        "seconds": proof.seconds,
        "picture": picture,
    }


def _proven(row: sa.Row[Any]) -> tuple[tuple[RuleId, VmId], ProvenVm]:
    return (RuleId(row.rule_id), VmId(row.vm)), ProvenVm(kind=ProofKind(row.kind), at=row.at)
