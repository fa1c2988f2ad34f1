"""Restore points whose disks are offered over NBD: what is common to their dialog and their list. GUI thread."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication
from PySide6.QtWidgets import QWidget

from app.contract.offers import Offer, WithdrawPoint
from app.domain.ids import PointId, StandbyId
from app.domain.tasks import KnownPoint
from app.views.console import Console
from app.views.widgets.confirm import ConfirmDialog, sends
from app.views.widgets.opening import open_once
from app.views.widgets.pill import Pill, Tone
from app.workers.answers import Failure

_READ = QT_TRANSLATE_NOOP("Offers", "Being read")
_NOT_READ = QT_TRANSLATE_NOOP("Offers", "Not read now")


@dataclass(frozen=True, slots=True)
class OfferPlace:
    """Which restore point is offered, or may be."""

    standby: StandbyId
    target_path: str
    point: PointId

    @classmethod
    def of_point(cls, known: KnownPoint) -> "OfferPlace":
        """Return the place of a restore point in a list."""
        return cls(known.standby, known.target_path, known.point.id)

    @classmethod
    def of_offer(cls, offer: Offer) -> "OfferPlace":
        """Return the place of what is offered."""
        return cls(offer.standby, offer.target_path, offer.point)


def reading_pill(*, is_read: bool) -> Pill:
    """Return how it is drawn whether other programs read right now."""
    if is_read:
        return Pill(QCoreApplication.translate("Offers", str(_READ)), Tone.ACTIVE, outlined=True)
    return Pill(QCoreApplication.translate("Offers", str(_NOT_READ)), Tone.IDLE, outlined=True)


def way_word(offer: Offer) -> str:
    """Return how other programs reach what is offered."""
    if offer.over_tcp:
        return QCoreApplication.translate("Offers", "TCP port")
    return QCoreApplication.translate("Offers", "Unix socket")


def stop_offer(
    console: Console,
    offer: Offer,
    owner: QWidget,
    on_done: Callable[[object], None],
    on_failed: Callable[[Failure], None],
) -> None:
    """Offer the disks of a restore point no more; asks first when a program reads them right now."""
    command = WithdrawPoint(standby=offer.standby, target_path=offer.target_path, point=offer.point)
    if not offer.is_read:
        console.door.execute(command, owner=owner, on_done=on_done, on_failed=on_failed)
        return
    title = QCoreApplication.translate("Offers", "Stop offering the disks of {vm}")
    dialog = ConfirmDialog(
        console,
        title.format(vm=offer.vm_name),
        QCoreApplication.translate("Offers", "Stop offering"),
        sends(console, command, owner),
        consequences=(
            QCoreApplication.translate("Offers", "A program reads them right now and is cut off."),
            QCoreApplication.translate("Offers", "The restore point stays as it is."),
        ),
        parent=owner,
    )
    dialog.succeeded.connect(partial(on_done, None))
    open_once(dialog)
