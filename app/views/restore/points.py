"""Restore points as the restore dialogs show them."""

from collections.abc import Sequence

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from app.domain.restore_point import RestorePoint
from app.domain.tasks import KnownPoint, VerificationState
from app.models.rows import Column
from app.views import formatting
from app.views.proof.words import point_proof_column, proof_pill, proof_time
from app.views.widgets.pill import Pill, Tone
from app.views.words import backup_kind_word, said_text

_STATES = {
    VerificationState.UNKNOWN: (QT_TRANSLATE_NOOP("Points", "Not verified"), Tone.IDLE, True),
    VerificationState.WHOLE: (QT_TRANSLATE_NOOP("Points", "Verified"), Tone.COMPLETED, False),
    VerificationState.DAMAGED: (QT_TRANSLATE_NOOP("Points", "Damaged"), Tone.FAILED, False),
}


def verification_pill(state: VerificationState) -> Pill:
    """Return how the result of a verification is drawn."""
    word, tone, outlined = _STATES[state]
    return Pill(QCoreApplication.translate("Points", str(word)), tone, outlined=outlined)


def point_title(known: KnownPoint) -> str:
    """Return a point in one line, for choosing it: time, kind, and damage where there is any."""
    text = f"{formatting.exact_time(known.point.created_at)} · {backup_kind_word(known.point.kind)}"
    if known.verification is VerificationState.DAMAGED:
        text = f"{text} · {verification_pill(known.verification).text}"
    return text


def tried_title(known: KnownPoint) -> str:
    """Return a point in one line, with what its proof says."""
    title = point_title(known)
    return title if known.proof is None else f"{title} · {proof_pill(known.proof).text}"


def point_columns() -> tuple[Column[KnownPoint], ...]:
    """Return the columns of the table of points."""
    return (
        Column(
            key="time",
            title=QCoreApplication.translate("Points", "Backed up at"),
            text=lambda known: formatting.exact_time(known.point.created_at),
            sort=lambda known: known.point.order,
            width=148,
            stretch=True,
        ),
        Column(
            key="size",
            title=QCoreApplication.translate("Points", "Size"),
            text=lambda known: formatting.size(known.point.capacity_bytes),
            sort=lambda known: known.point.capacity_bytes,
            tooltip=lambda known: QCoreApplication.translate(
                "Points", "Capacity of all disks in this restore point. Written by its run: {size}"
            ).format(size=formatting.size(known.point.stored_bytes)),
            numeric=True,
            unit="B",
            width=72,
        ),
        Column(
            key="kind",
            title=QCoreApplication.translate("Points", "Backup kind"),
            text=lambda known: backup_kind_word(known.point.kind),
            width=96,
        ),
        Column(
            key="verification",
            title=QCoreApplication.translate("Points", "Verification"),
            text=lambda known: verification_pill(known.verification).text,
            paint=lambda known: verification_pill(known.verification),
            tooltip=lambda known: formatting.exact_time(known.verified_at) if known.verified_at else None,
            width=112,
        ),
        point_proof_column(),
    )


def _encryption_word(known: KnownPoint) -> str:
    if known.is_encrypted:
        return QCoreApplication.translate("Points", "Encrypted")
    return QCoreApplication.translate("Points", "Not encrypted")


def _transport_word(point: RestorePoint) -> str:
    modes = sorted({disk.transport.name for disk in point.disks if disk.transport is not None})
    if point.travelled_plain:
        words = QCoreApplication.translate("Points", "Plain transport ({modes})")
        return words.format(modes=", ".join(modes))
    return ", ".join(modes) or formatting.NOTHING


def _proof_words(known: KnownPoint) -> str:
    if known.proof is None:
        return formatting.NOTHING
    words = QCoreApplication.translate("Points", "{proof}: {reason} ({time})")
    proof = known.proof
    return words.format(proof=proof_pill(proof).text, reason=said_text(proof.reason), time=proof_time(proof))


def point_facts(known: KnownPoint) -> Sequence[tuple[str, str]]:
    """Return the documented point information: names as on the documented page, with their values."""
    facts, point = known.point.facts, known.point
    disks = ", ".join(f"{disk.label} ({formatting.size(disk.capacity_bytes)})" for disk in point.disks)
    return (
        ("vp_uuid", facts.instance_uuid or formatting.NOTHING),
        ("dc", facts.datacenter or formatting.NOTHING),
        ("ds", facts.datastore or formatting.NOTHING),
        ("hostname", facts.hostname or facts.host or formatting.NOTHING),
        ("vmname", facts.name),
        ("disks", disks or formatting.NOTHING),
        ("guest", facts.guest or formatting.NOTHING),
        ("encryption", _encryption_word(known)),
        ("transport", _transport_word(point)),
        ("parent", point.parent or formatting.NOTHING),
        ("proof", _proof_words(known)),
    )
