"""What proofs of restore say: pills, tooltips and columns. GUI thread."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from app.contract.rules import RuleRow, RuleVmRow
from app.domain.display import lines
from app.domain.proofs import ProofKind, RestoreProof
from app.domain.tasks import KnownPoint
from app.domain.units import filled
from app.models.rows import Column
from app.views import formatting
from app.views.widgets.columns import compact_time_column
from app.views.widgets.pill import Pill, Tone
from app.views.words import said_text

_WORDS = {
    ProofKind.BOOTS: QT_TRANSLATE_NOOP("Proof", "Boots"),
    ProofKind.STRUCTURE: QT_TRANSLATE_NOOP("Proof", "Readable"),
}
_MEANINGS = {
    ProofKind.BOOTS: QT_TRANSLATE_NOOP("Proof", "The VM was started from it, and its system came up."),
    ProofKind.STRUCTURE: QT_TRANSLATE_NOOP(
        "Proof", "The VM could not be started; its partition tables and file systems were read and are in order."
    ),
}
_BADGE_WIDTH = 100


class _HasProof(Protocol):
    """A row of which the last proof is known."""

    @property
    def last_proven(self) -> datetime | None:
        """When a restore point of it was last proven."""
        ...

    @property
    def last_proven_kind(self) -> ProofKind | None:
        """What that showed."""
        ...


R = TypeVar("R", bound=_HasProof)


def kind_word(kind: ProofKind) -> str:
    """Return what a proof shows, in one word: 可启动, 已验证."""
    return QCoreApplication.translate("Proof", str(_WORDS[kind]))


def kind_pill(kind: ProofKind) -> Pill:
    """Return how it is drawn that something is proven."""
    return Pill(kind_word(kind), Tone.COMPLETED, outlined=kind is not ProofKind.BOOTS)


def proof_pill(proof: RestoreProof) -> Pill:
    """Return how the newest proof of a restore point is drawn."""
    if proof.is_proven:
        return kind_pill(proof.kind)
    return Pill(QCoreApplication.translate("Proof", "Not proven"), Tone.FAILED)


def proof_meaning(proof: RestoreProof) -> str:
    """Return in one sentence what a proof says."""
    if proof.is_proven:
        return QCoreApplication.translate("Proof", str(_MEANINGS[proof.kind]))
    return QCoreApplication.translate("Proof", "It was tried, and nothing showed that the VM can be used.")


def proof_time(proof: RestoreProof) -> str:
    """Return when a proof ended, and how long it took until that was known."""
    words = QCoreApplication.translate("Proof", "{time}, after {span}")
    span = formatting.duration(timedelta(seconds=proof.seconds))
    return words.format(time=formatting.exact_time(proof.at), span=span)


def proof_tip(proof: RestoreProof) -> str:
    """Return what a proof says and why, for a tooltip."""
    return lines((proof_meaning(proof), said_text(proof.reason), proof_time(proof)))


def point_proof_column() -> Column[KnownPoint]:
    """Return the column with the badge of restore points; its cells need a ``PillDelegate``."""
    return Column(
        key="proof",
        title=QCoreApplication.translate("Proof", "Proof"),
        text=lambda known: formatting.NOTHING if known.proof is None else proof_pill(known.proof).text,
        paint=lambda known: None if known.proof is None else proof_pill(known.proof),
        tooltip=lambda known: None if known.proof is None else proof_tip(known.proof),
        width=112,
    )


def rule_proof_columns() -> tuple[Column[RuleRow], ...]:
    """Return the columns with the last proof of a rule's VMs; the first needs a ``PillDelegate``."""
    return _columns(rule_proof_pill, rule_proof_words)


def vm_proof_columns() -> tuple[Column[RuleVmRow], ...]:
    """Return the columns with the last proof of a VM; the first needs a ``PillDelegate``."""
    return _columns(vm_proof_pill, vm_proof_words)


def _columns(pill: Callable[[R], Pill | None], tip: Callable[[R], str | None]) -> tuple[Column[R], ...]:
    def text(row: R) -> str:
        drawn = pill(row)
        return formatting.NOTHING if drawn is None else drawn.text

    title = QCoreApplication.translate("Proof", "Proven at")
    at: Column[R] = compact_time_column("proven_at", title, lambda row: row.last_proven, width=104)
    badge = Column(
        key="proof",
        title=QCoreApplication.translate("Proof", "Last proven"),
        text=text,
        paint=pill,
        sort=lambda row: row.last_proven,
        value=text,
        tooltip=tip,
        width=_BADGE_WIDTH,
        roomy=True,
    )
    return badge, replace(at, hidden=True)


def rule_proof_pill(row: RuleRow) -> Pill | None:
    """Return how the last proof of a rule's VMs is drawn; None where there is none."""
    return _pill(row, is_late=row.unproven_vms > 0)


def vm_proof_pill(row: RuleVmRow) -> Pill | None:
    """Return how the last proof of a VM is drawn; None where there is none."""
    return _pill(row, is_late=row.unproven_since is not None)


def _pill(row: _HasProof, *, is_late: bool) -> Pill | None:
    if is_late:
        return Pill(QCoreApplication.translate("Proof", "Overdue"), Tone.PENDING)
    return None if row.last_proven_kind is None else kind_pill(row.last_proven_kind)


def rule_proof_words(row: RuleRow) -> str | None:
    """Return when VMs of a rule were last proven, and whether that is too long ago; None: never."""
    words = QCoreApplication.translate(
        "Proof", "{count} {count:VM of it has/VMs of it have} no proof as recent as the rule says."
    )
    return _words(row, filled(words, {"count": row.unproven_vms}) if row.unproven_vms else "")


def vm_proof_words(row: RuleVmRow) -> str | None:
    """Return when a VM was last proven, and whether that is too long ago; None: never."""
    words = QCoreApplication.translate("Proof", "A proof was expected by {time}.")
    late = "" if row.unproven_since is None else words.format(time=formatting.exact_time(row.unproven_since))
    return _words(row, late)


def _words(row: _HasProof, late: str) -> str | None:
    last = ""
    if row.last_proven is not None and row.last_proven_kind is not None:
        words = QCoreApplication.translate("Proof", "Last proven {time}: {what}")
        last = words.format(time=formatting.exact_time(row.last_proven), what=kind_word(row.last_proven_kind))
    return lines(filter(None, (late, last))) or None
