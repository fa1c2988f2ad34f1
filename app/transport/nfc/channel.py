"""An open disk that is opened again when its connection breaks; what reader and writer share."""

from collections.abc import Callable, Mapping

from app.domain.errors import OperationalError
from app.transport import messages
from app.transport.attempt import Attempt, Recovery
from app.transport.errors import HostInMaintenance, HostRefusal, LinkClosed, LinkFailure, MalformedAnswer
from app.transport.nfc.dialer import NfcDialer, OpenDisk, dial_first
from app.transport.nfc.session import NfcSession
from app.transport.reasons import NO_CONNECTION_LEFT


class NfcChannel:
    """Holds the current session of one disk, and dials for the next one when it is lost.

    Thread: one at a time.
    """

    def __init__(self, dialer: NfcDialer) -> None:
        self._dialer = dialer
        opened = dial_first(dialer)
        self._open: OpenDisk | None = opened
        self.file = opened.file
        self.host_words = opened.host_words
        self.recovery = Recovery(dialer.attempt, dialer.options.reconnect, dialer.log, dialer.cancel)
        self.options = dialer.options
        self.log = dialer.log
        self.cancel = dialer.cancel
        self.closed = False

    @property
    def attempt(self) -> Attempt:
        """What is being done to the disk, for errors and log lines."""
        return self._dialer.attempt

    @property
    def handle(self) -> int:
        """The host's handle of the disk in the current session."""
        return self.file.handle

    @property
    def session(self) -> NfcSession:
        """The current session.

        Raises:
            LinkFailure: there is none; :meth:`restore` makes one.
        """
        if self._open is None:
            raise LinkFailure(NO_CONNECTION_LEFT)
        return self._open.session

    def begin(self) -> None:
        """Start something new: earlier failures do not count against it.

        Raises:
            ValueError: the disk is closed.
        """
        if self.closed:
            raise ValueError("the disk is closed")
        self.recovery.progressed()

    def restore(self, failure: Exception, open_bytes: int) -> None:
        """Drop the session and dial until there is a new one, or until the attempts are used up.

        Raises:
            OperationalError: it cannot be had.
            TaskCancelled: cancelled meanwhile.
        """
        self.drop(failure)
        while self._open is None:
            self.recovery.pause_after(failure)
            try:
                self._open = self._dialer.dial()
            except LinkFailure as another:
                failure = another
            except OperationalError as error:
                if not error.retryable or isinstance(error, HostInMaintenance) or self._dialer.is_in_vain():
                    raise
                failure = error
        self.file = self._open.file
        self.log.info(
            messages.CONNECTION_RESTORED,
            path=self.attempt.path,
            mode=self.attempt.mode.name,
            open_bytes=open_bytes,
        )

    @property
    def buffers_to_compare(self) -> tuple[int, ...]:
        """Sizes of buffers that may turn out to be better, that of the current session first."""
        return self._dialer.buffers_to_compare

    def use_buffers(self, size_bytes: int) -> None:
        """Go on with a session that has buffers of another size; no answer may be outstanding.

        Raises:
            OperationalError: none can be had.
            TaskCancelled: cancelled meanwhile.
        """
        self._dialer.ask_for_buffers(size_bytes)
        self.session.farewell()
        self._open = None
        self._dial_again()

    def renew(self) -> None:
        """Go on with another session when a refusal leaves open what the host sends next in this one.

        Raises:
            OperationalError: none can be had.
            TaskCancelled: cancelled meanwhile.
        """
        if self.session.is_in_step:
            return
        self.session.leave()
        self._open = None
        self._dial_again()

    def _dial_again(self) -> None:
        try:
            self._open = self._dialer.dial()
            self.file = self._open.file
        except LinkFailure as failure:
            self.restore(failure, 0)
        except OperationalError as error:
            if not error.retryable or isinstance(error, HostInMaintenance):
                raise
            self.restore(error, 0)

    def drop(self, failure: BaseException) -> None:
        """End the session without waiting for its answers; never raises.

        Args:
            failure: why; a connection that broke is closed at once, on any other the host is told.
        """
        if self._open is None:
            return
        session, self._open = self._open.session, None
        if isinstance(failure, LinkFailure) and not isinstance(failure, HostRefusal):
            session.abort()
        else:
            session.leave()

    def farewell(self) -> None:
        """Close in order: file, session, connection; never raises. No answer may be outstanding."""
        self.closed = True
        if self._open is not None:
            self._open.session.farewell()
            self._open = None


def take_what_came(failure: Exception, awaited: Mapping[int, object], receive: Callable[[], None]) -> Exception:
    """Take the answers that came before a connection ended; return why it ended, in the host's words if there are.

    Whoever sends learns of the end first. Without this, a host that ends connections often would seem to answer
    nothing at all, and what it said before it hung up would be lost.

    Args:
        failure: what befell the connection; nothing is done unless it is closed, so that nothing here waits.
        awaited: what is not answered yet.
        receive: takes one answer.
    """
    if not isinstance(failure, LinkClosed):
        return failure
    try:
        while awaited:
            receive()
    except HostRefusal as refusal:
        return refusal
    except (LinkFailure, MalformedAnswer):  # what came is used up, or was cut
        return failure
    return failure
