"""Proofs of restore as an engine would return them, and a door that returns them."""

from dataclasses import replace
from datetime import timedelta

from PySide6.QtCore import QBuffer, QIODevice, QRect, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter

from app.contract.points import ListPoints
from app.contract.proofs import ListProofs, ProofPicture, ProofRow, ReadProofPicture, StartProof
from app.contract.rules import ListVmPoints
from app.domain.ids import TaskId
from app.domain.proofs import ProofKind, ProofOutcome, RestoreProof
from app.domain.tasks import KnownPoint
from app.engine.proof.reasons import NO_SIGN, STRUCTURE_READ, SYSTEMS, TOOLS_RUN
from app.engine.proof.screen import ScreenSigns
from tests.gui.restore.points import NEWEST, point
from tests.support.scripted_door import ScriptedDoor

BOOTS = RestoreProof(
    kind=ProofKind.BOOTS,
    outcome=ProofOutcome.PROVEN,
    at=NEWEST + timedelta(hours=2),
    reason=TOOLS_RUN.fill(),
    task=TaskId("q"),
    seconds=47.0,
    has_picture=True,
)
READABLE = RestoreProof(
    kind=ProofKind.STRUCTURE,
    outcome=ProofOutcome.PROVEN,
    at=NEWEST + timedelta(hours=1),
    reason=STRUCTURE_READ.fill(
        found=SYSTEMS.fill(disk="Hard disk 1", systems="GPT, ext4, LVM2"),
        why="the licence allows no NFS datastores",
    ),
    task=TaskId("r"),
    seconds=3.2,
)
"""What could not be started: its file systems were read."""
SILENT = RestoreProof(
    kind=ProofKind.BOOTS,
    outcome=ProofOutcome.NOT_PROVEN,
    at=NEWEST + timedelta(hours=3),
    reason=NO_SIGN[ScreenSigns.STILL].fill(minutes=15),
    task=TaskId("p"),
    seconds=900.0,
    has_picture=True,
)
POINTS = (
    replace(point("web-01", 0), proof=SILENT),
    replace(point("web-01", 1), proof=BOOTS),
    replace(point("web-01", 2), proof=READABLE),
)
UNTRIED = point("db-01", 1)


def row(known: KnownPoint) -> ProofRow:
    """A restore point that was tried."""
    made = ProofRow.of(known, "standby-a")
    assert made is not None
    return made


ROWS = tuple(row(known) for known in POINTS)


def console_picture() -> bytes:
    """A picture of a console with a login, as a PNG file."""
    image = QImage(720, 400, QImage.Format.Format_RGB32)
    image.fill(QColor("black"))
    painter = QPainter(image)
    painter.setPen(QColor("#c8c8c8"))
    font = QFont("monospace")
    font.setPixelSize(16)
    painter.setFont(font)
    text = "Debian GNU/Linux 12 web-01 tty1\n\nweb-01 login: _"
    painter.drawText(QRect(8, 8, 700, 380), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, text)
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(buffer.data().data())


def script_proofs(door: ScriptedDoor, *rows: ProofRow) -> None:
    """Let a door answer with proofs, and with the points of one VM that were tried."""
    known = (*POINTS, UNTRIED)
    door.answer(ListProofs, rows)
    door.answer(ReadProofPicture, ProofPicture(png=console_picture(), at=NEWEST))
    door.answer(
        ListPoints,
        lambda query: tuple(found for found in known if query.vm in (None, found.point.facts.vm)),
    )
    door.answer(ListVmPoints, lambda query: tuple(found for found in known if query.vm == found.point.facts.vm))
    door.answer(StartProof, TaskId("q"))
