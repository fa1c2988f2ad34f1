"""``point …``."""

from argparse import Namespace
from pathlib import Path

from app.cli.ctl.names import find_point, find_standby
from app.cli.ctl.proofs import outcome_word
from app.cli.ctl.screen import Screen, size
from app.cli.ctl.tasks import DONE, queued
from app.contract.door import Door
from app.contract.points import ListPoints, StartExport, StartVerify
from app.contract.standbys import ListStandbys
from app.domain.images import ImageFormat


def list_points(door: Door, screen: Screen, chosen: Namespace) -> int:
    """List restore points, newest first."""
    standby = find_standby(door, chosen.standby).id if chosen.standby else None
    known = door.ask(ListPoints(standby=standby))
    rows = tuple(row for row in known if not chosen.vm or chosen.vm in (row.point.facts.name, row.point.facts.vm))
    names = {standby.id: standby.name for standby in door.ask(ListStandbys())}
    columns = ("point", "VM", "created", "kind", ">size", ">written", "standby", "verified", "proof", "transport")
    cells = (
        (
            row.point.id,
            row.point.facts.name,
            row.point.created_at,
            row.point.kind.value,
            size(row.point.capacity_bytes),
            size(row.point.stored_bytes),
            f"{names.get(row.standby, row.standby)}:{row.target_path}",
            row.verification.value,
            outcome_word(row.proof),
            "plain" if row.point.travelled_plain else "",
        )
        for row in rows
    )
    screen.table(columns, cells, rows)
    return DONE


def verify_point(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Read a restore point back, every chunk against its digest."""
    known = find_point(door, chosen.point, chosen.standby)
    task = door.execute(StartVerify(standby=known.standby, target_path=known.target_path, point=known.point.id))
    return queued(door, screen, [task], wait=chosen.wait)


def export_point(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Write disks of a restore point into image files."""
    known = find_point(door, chosen.point, chosen.standby)
    task = door.execute(
        StartExport(
            standby=known.standby,
            target_path=known.target_path,
            point=known.point.id,
            disks=tuple(chosen.disk),
            folder=str(Path(chosen.folder).absolute()),
            image=ImageFormat(chosen.format),
        )
    )
    return queued(door, screen, [task], wait=chosen.wait)
