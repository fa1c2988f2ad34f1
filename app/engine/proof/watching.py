"""Waits for the guest system of a started VM: its tools report, or the screen is that of a system that came up."""

from collections.abc import Callable
from typing import Final

from app.core.context import TaskContext
from app.core.guests import GuestSigns, ShowsGuests
from app.core.png import PngUnreadable, read_png, shrunk, write_png
from app.domain.errors import OperationalError
from app.domain.ids import VmId
from app.domain.messages import Message
from app.domain.proofs import ProofKind, ProofOutcome
from app.engine.proof import messages
from app.engine.proof.reasons import NO_SIGN, SCREEN_STANDS, TOOLS_RUN, TOOLS_SILENT
from app.engine.proof.screen import Look, Screens, ScreenSigns, look_at
from app.engine.proof.verdict import Verdict

PICTURE_BYTES: Final = 256 * 1024
"""Pictures that are kept are no larger."""
_UNPACKED_BYTES: Final = 8 << 20
_KEPT_WIDTH: Final = 640


class GuestWatch:
    """Watches one start. Thread: the task's."""

    def __init__(
        self,
        guests: ShowsGuests,
        vm: VmId,
        context: TaskContext,
        *,
        look_s: float,
        limit_s: float,
        expects_tools: bool,
        written_bytes: Callable[[], int],
    ) -> None:
        """Prepare; the time begins now.

        Args:
            guests: of the platform.
            vm: a VM that was just powered on.
            context: of the task.
            look_s: how long to wait between two looks.
            limit_s: how long to look.
            expects_tools: whether the guest has tools, so that only they can prove that it runs.
            written_bytes: returns what the guest has written to its disks.
        """
        self._guests = guests
        self._vm = vm
        self._context = context
        self._look_s = look_s
        self._limit_s = limit_s
        self._deadline_s = context.clock.monotonic() + limit_s
        self._expects_tools = expects_tools
        self._written_bytes = written_bytes
        self._screens = Screens()
        self._picture: bytes | None = None
        self._trouble: OperationalError | None = None
        self._has_answered = False

    def run(self) -> Verdict:
        """Wait until it is known.

        Raises:
            OperationalError: the platform told nothing all the time.
            TaskCancelled: the operator stopped it.
        """
        while True:
            if self._tools_run():
                self._take_picture()
                return self._verdict(ProofOutcome.PROVEN, TOOLS_RUN.fill())
            is_late = self._context.clock.monotonic() >= self._deadline_s
            signs = self._look() if is_late or not self._expects_tools else ScreenSigns.NOTHING
            if signs is ScreenSigns.BOOTED and not self._expects_tools:
                return self._verdict(ProofOutcome.PROVEN, SCREEN_STANDS.fill())
            if is_late:
                return self._time_is_up(signs)
            self._context.cancel.wait(self._look_s)

    def _tools_run(self) -> bool:
        signs = self._signs()
        if signs is None:
            return False
        self._expects_tools = self._expects_tools or signs.has_tools
        return signs.tools_run

    def _signs(self) -> GuestSigns | None:
        """Return what the tools say; what may pass on its own is waited for."""
        try:
            signs = self._guests.guest_signs(self._vm)
        except OperationalError as error:
            if not error.retryable:
                raise
            self._trouble = error
            return None
        self._has_answered = True
        return signs

    # --- pictures --------------------------------------------------------------------------------------------

    def _look(self) -> ScreenSigns:
        self._take_picture()
        return self._screens.take(self._seen(), self._written_bytes())

    def _take_picture(self) -> None:
        try:
            self._picture = self._guests.screenshot(self._vm)
        except OperationalError as error:
            self._trouble = error
            self._picture = None

    def _seen(self) -> Look | None:
        if self._picture is None:
            return None
        try:
            return look_at(read_png(self._picture, limit_bytes=_UNPACKED_BYTES))
        except PngUnreadable:
            return None

    # --- the end ---------------------------------------------------------------------------------------------

    def _time_is_up(self, signs: ScreenSigns) -> Verdict:
        if not self._has_answered and self._trouble is not None:
            raise self._trouble
        minutes = max(1, round(self._limit_s / 60))
        kind = TOOLS_SILENT if self._expects_tools else NO_SIGN[signs]
        return self._verdict(ProofOutcome.NOT_PROVEN, kind.fill(minutes=minutes))

    def _verdict(self, outcome: ProofOutcome, reason: Message) -> Verdict:
        if self._picture is None and self._trouble is not None:
            self._context.log.warning(messages.NO_PICTURE, detail=self._trouble)
        return Verdict(kind=ProofKind.BOOTS, outcome=outcome, reason=reason, picture=kept_picture(self._picture))


def kept_picture(picture: bytes | None) -> bytes | None:
    """Return a picture as it is kept: a large one smaller and in grey; None where that cannot be done."""
    if picture is None or len(picture) <= PICTURE_BYTES:
        return picture
    try:
        smaller = write_png(shrunk(read_png(picture, limit_bytes=_UNPACKED_BYTES), _KEPT_WIDTH))
    except PngUnreadable:
        return None
    return smaller if len(smaller) <= PICTURE_BYTES else None
