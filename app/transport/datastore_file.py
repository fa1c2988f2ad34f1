"""A datastore file on a web server: its address, its session, and the connections that fetch from it."""

from app.core.access import DatastoreFiles, HttpsFile
from app.core.cancel import CancelToken
from app.core.patience import Patience
from app.core.tasklog import TaskLog
from app.domain.errors import DiskAccessFailed
from app.transport import messages
from app.transport.attempt import Attempt, Recovery
from app.transport.errors import (
    FileForbidden,
    FileNotReadable,
    LinkClosed,
    LinkFailure,
    LinkUnreachable,
    MalformedAnswer,
    PortBlocked,
    ProtocolViolated,
    SessionRefused,
)
from app.transport.http_range import RangeConnection, RangeHead, UnexpectedStatus
from app.transport.options import TransportOptions
from app.transport.reasons import NO_SUCH_FILE, WHOLE_FILES_ONLY

_MOST_RENEWALS = 2
"""Fresh sessions in a row that are refused before it is plain that no session will do."""


class DatastoreFile:
    """Fetches ranges of a datastore file over a pool of connections.

    Thread: one at a time.
    """

    def __init__(
        self,
        files: DatastoreFiles,
        path: str,
        attempt: Attempt,
        *,
        options: TransportOptions,
        log: TaskLog,
        cancel: CancelToken,
        patience: Patience | None = None,
    ) -> None:
        self._files = files
        self._path = path
        self._attempt = attempt
        self._options = options
        self._log = log
        self._cancel = cancel
        self._patience = patience
        self._recovery = Recovery(attempt, options.reconnect, log, cancel)
        self._idle: list[RangeConnection] = []
        self._renewals = 0
        self.address: HttpsFile = files.https_file(path)

    def ask(self, first: int, length_bytes: int) -> RangeConnection:
        """Send the request for a range over an idle or a new connection, which then belongs to the caller.

        Raises:
            LinkFailure: it could not be sent.
            CertificateChanged: the server shows another certificate than the pinned one.
            TaskCancelled: cancelled meanwhile.
        """
        while True:
            reused = bool(self._idle)
            connection = (
                self._idle.pop() if reused else RangeConnection.connect(self.address, self._options, self._cancel)
            )
            try:
                connection.ask(self.address, first, length_bytes)
            except LinkClosed:
                connection.close()
                if not reused:
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                return connection

    def give_back(self, connection: RangeConnection, head: RangeHead) -> None:
        """Keep a connection whose answer has been taken whole, and note that fetching works."""
        self._recovery.progressed()
        if self._patience is not None:
            self._patience.answered()
        self._renewals = 0
        connection.answers += 1
        if head.keep_alive:
            self._idle.append(connection)
        else:
            connection.close()

    def overcome(self, failure: Exception, connection: RangeConnection | None) -> None:
        """Do what another attempt needs after a failure: wait, or renew the session; or give up.

        Args:
            failure: what went wrong.
            connection: the connection it went wrong on; it is closed.

        Raises:
            OperationalError: another attempt would be in vain.
            TaskCancelled: cancelled while waiting.
        """
        if connection is not None:
            connection.close()
        if isinstance(failure, UnexpectedStatus):
            self._judge(failure, connection)
        elif isinstance(failure, LinkClosed) and connection is not None and connection.takes_rest:
            return  # the server had ended a connection that was kept for the next request
        elif isinstance(failure, LinkFailure):
            self._pause_after(failure)
        elif isinstance(failure, MalformedAnswer):
            raise self._attempt.error(ProtocolViolated, detail=failure) from failure
        else:
            raise failure

    def fetch_start(self, buffer: memoryview) -> tuple[int, int]:
        """Fetch the first bytes of the file; return how many came and how large the file is.

        Raises:
            OperationalError: they cannot be had.
            TaskCancelled: cancelled meanwhile.
        """
        while True:
            connection = None
            try:
                connection = self.ask(0, len(buffer))
                head = connection.receive_head(0, len(buffer))
                view = buffer[: head.length_bytes]
                while view:
                    view = view[connection.receive_body(view) :]
            except LinkUnreachable as failure:
                if self._patience is not None and self._patience.wait_after(failure):
                    continue
                raise self._attempt.error(
                    PortBlocked, host=self.address.host, port=self.address.port, detail=failure
                ) from failure
            except (LinkFailure, MalformedAnswer, UnexpectedStatus) as failure:
                self.overcome(failure, connection)
            except BaseException:
                if connection is not None:
                    connection.close()
                raise
            else:
                self.give_back(connection, head)
                return head.length_bytes, head.file_bytes

    def close(self) -> None:
        """Close the idle connections; never raises."""
        while self._idle:
            self._idle.pop().close()

    def _pause_after(self, failure: Exception) -> None:
        """Wait before the next attempt: the server is the platform itself, which may be away for minutes."""
        try:
            self._recovery.pause_after(failure)
        except DiskAccessFailed:
            if self._patience is None or not self._patience.wait_after(failure):
                raise

    def _judge(self, answer: UnexpectedStatus, connection: RangeConnection | None) -> None:
        if answer.status == 401:
            self._renew_session(answer, connection)
        elif answer.status == 403:
            raise self._attempt.error(FileForbidden, detail=answer) from answer
        elif answer.may_pass:
            self._pause_after(answer)
        elif answer.status == 404:
            name = self._path.rpartition("/")[2]
            raise self._attempt.error(FileNotReadable, detail=NO_SUCH_FILE.fill(file=name)) from answer
        elif answer.status == 200:
            raise self._attempt.error(FileNotReadable, detail=WHOLE_FILES_ONLY) from answer
        else:
            raise self._attempt.error(FileNotReadable, detail=answer) from answer

    def _renew_session(self, answer: UnexpectedStatus, connection: RangeConnection | None) -> None:
        if connection is not None and connection.asked_with is not self.address:
            return  # asked before the session was renewed
        self._renewals += 1
        if self._renewals > _MOST_RENEWALS:
            raise self._attempt.error(SessionRefused, detail=answer) from answer
        self.address = self._files.https_file(self._path)
        self._log.info(messages.SESSION_RENEWED, host=self.address.host, path=self._attempt.path)
