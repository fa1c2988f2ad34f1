"""The product's words on the screen: states, kinds and errors in the operator's language. GUI thread."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from app.contract.errors import ErrorRow
from app.domain.display import lines
from app.domain.errors import OperationalError
from app.domain.messages import LogLevel, Param, Params, Sayable, sentence, sentence_if_possible
from app.domain.platforms import PlatformKind
from app.domain.states import BackupKind, TaskKind, TaskState, TransportMode
from app.views.widgets.pill import Pill, Tone
from app.workers.answers import Bug, Failure

_STATES = {
    TaskState.STARTING: (QT_TRANSLATE_NOOP("Words", "Starting"), Tone.ACTIVE, True),
    TaskState.IDLE: (QT_TRANSLATE_NOOP("Words", "Idle"), Tone.IDLE, False),
    TaskState.PENDING: (QT_TRANSLATE_NOOP("Words", "Pending"), Tone.PENDING, False),
    TaskState.PREPARING: (QT_TRANSLATE_NOOP("Words", "Preparing"), Tone.ACTIVE, True),
    TaskState.SAVING_CONFIGURATION: (
        QT_TRANSLATE_NOOP("Words", "Saving VM config"),
        Tone.ACTIVE,
        True,
    ),
    TaskState.QUERYING_CHANGES: (QT_TRANSLATE_NOOP("Words", "Reading changes"), Tone.ACTIVE, True),
    TaskState.CHECKING_DATA: (QT_TRANSLATE_NOOP("Words", "Checking data"), Tone.ACTIVE, True),
    TaskState.CREATING_VM: (QT_TRANSLATE_NOOP("Words", "Creating VM"), Tone.ACTIVE, True),
    TaskState.RUNNING: (QT_TRANSLATE_NOOP("Words", "Running"), Tone.ACTIVE, False),
    TaskState.REMOVING_SNAPSHOT: (QT_TRANSLATE_NOOP("Words", "Removing snapshot"), Tone.ACTIVE, True),
    TaskState.VERIFYING: (QT_TRANSLATE_NOOP("Words", "Verifying"), Tone.ACTIVE, False),
    TaskState.STOPPING: (QT_TRANSLATE_NOOP("Words", "Stopping"), Tone.ACTIVE, True),
    TaskState.STOPPED: (QT_TRANSLATE_NOOP("Words", "Stopped"), Tone.IDLE, True),
    TaskState.UNKNOWN: (QT_TRANSLATE_NOOP("Words", "Unknown"), Tone.UNKNOWN, False),
    TaskState.COMPLETED: (QT_TRANSLATE_NOOP("Words", "Completed"), Tone.COMPLETED, False),
    TaskState.FAILED: (QT_TRANSLATE_NOOP("Words", "Failed"), Tone.FAILED, False),
}
_BACKUP_KINDS = {
    BackupKind.FULL: QT_TRANSLATE_NOOP("Words", "Full"),
    BackupKind.INCREMENTAL: QT_TRANSLATE_NOOP("Words", "Incremental"),
    BackupKind.DIFFERENTIAL: QT_TRANSLATE_NOOP("Words", "Differential"),
}
_TASK_KINDS = {
    TaskKind.BACKUP: QT_TRANSLATE_NOOP("Words", "Backup"),
    TaskKind.RESTORE: QT_TRANSLATE_NOOP("Words", "Restore"),
    TaskKind.VERIFY: QT_TRANSLATE_NOOP("Words", "Verification"),
    TaskKind.EXPORT: QT_TRANSLATE_NOOP("Words", "Export"),
    TaskKind.GARBAGE_COLLECTION: QT_TRANSLATE_NOOP("Words", "Garbage collection"),
    TaskKind.MIGRATION: QT_TRANSLATE_NOOP("Words", "Migration"),
    TaskKind.CLOSING: QT_TRANSLATE_NOOP("Words", "Closing to other users"),
    TaskKind.CONSOLIDATION: QT_TRANSLATE_NOOP("Words", "Disk consolidation"),
    TaskKind.INSTANT_START: QT_TRANSLATE_NOOP("Words", "Instant recovery"),
    TaskKind.INSTANT_STOP: QT_TRANSLATE_NOOP("Words", "End of instant recovery"),
    TaskKind.INSTANT_FINISH: QT_TRANSLATE_NOOP("Words", "Move of instant recovery"),
    TaskKind.INSTANT_KEEP: QT_TRANSLATE_NOOP("Words", "Keeping of instant recovery"),
    TaskKind.PROOF: QT_TRANSLATE_NOOP("Words", "Proof of restore"),
}
_TRANSPORTS = {
    TransportMode.SAN: QT_TRANSLATE_NOOP("Words", "SAN"),
    TransportMode.HOTADD: QT_TRANSLATE_NOOP("Words", "HotAdd"),
    TransportMode.NFS: QT_TRANSLATE_NOOP("Words", "Direct NFS"),
    TransportMode.NFC_SSL: QT_TRANSLATE_NOOP("Words", "NFC-TLS"),
    TransportMode.NFC: QT_TRANSLATE_NOOP("Words", "NFC"),
    TransportMode.HTTPS: QT_TRANSLATE_NOOP("Words", "HTTPS"),
    TransportMode.NBD: QT_TRANSLATE_NOOP("Words", "NBD (VDDK)"),
    TransportMode.NBD_SSL: QT_TRANSLATE_NOOP("Words", "NBD-TLS (VDDK)"),
    TransportMode.LOCAL: QT_TRANSLATE_NOOP("Words", "Local file"),
}
_LEVELS = {
    LogLevel.NORMAL: QT_TRANSLATE_NOOP("Words", "Normal"),
    LogLevel.WARNING: QT_TRANSLATE_NOOP("Words", "Warning"),
    LogLevel.ERROR: QT_TRANSLATE_NOOP("Words", "Error"),
}


def state_word(state: TaskState) -> str:
    """Return a state's word."""
    return QCoreApplication.translate("Words", str(_STATES[state][0]))


def state_pill(state: TaskState, fraction: float | None = None) -> Pill:
    """Return how a state is drawn; a running one with its part done is a bar: ``Running 24.8%``."""
    _, tone, outlined = _STATES[state]
    word = state_word(state)
    if fraction is not None and state in (TaskState.RUNNING, TaskState.VERIFYING):
        return Pill(f"{word} {fraction * 100:.1f}%", tone, fraction)
    return Pill(word, tone, None, outlined)


def backup_kind_word(kind: BackupKind) -> str:
    """Return a kind of backup's word."""
    return QCoreApplication.translate("Words", str(_BACKUP_KINDS[kind]))


def task_kind_word(kind: TaskKind) -> str:
    """Return a kind of task's word."""
    return QCoreApplication.translate("Words", str(_TASK_KINDS[kind]))


def platform_kind_word(kind: PlatformKind) -> str:
    """Return what a platform is, as vSphere calls it in every language."""
    return "vCenter" if kind is PlatformKind.VCENTER else "HostAgent"


def transport_word(mode: TransportMode) -> str:
    """Return what a way to disks is called."""
    return QCoreApplication.translate("Words", str(_TRANSPORTS[mode]))


def level_word(level: LogLevel) -> str:
    """Return a log level's word."""
    return QCoreApplication.translate("Words", str(_LEVELS[level]))


def error_message(error: OperationalError) -> str:
    """Return what went wrong, in the operator's language."""
    return sentence_if_possible(error.message_template, error.params, _of_errors)


def error_hint(error: OperationalError) -> str:
    """Return what to do about it, in the operator's language."""
    return sentence_if_possible(error.hint_template, error.params, _of_errors)


def error_details(error: OperationalError) -> str:
    """Return all that there is of an error, for copying: in English, with what other programs said."""
    return lines(part for part in (error.code, error.message, error.hint, error.details) if part)


def failure_text(failure: Failure) -> str:
    """Return what went wrong in one sentence; of a mistake of ours only the log has more."""
    if isinstance(failure, Bug):
        return QCoreApplication.translate("Words", "Something unexpected happened.")
    return error_message(failure)


def row_error_message(row: ErrorRow) -> str:
    """Return what went wrong in a task, in the operator's language."""
    return sentence_if_possible(row.template, row.params, _of_errors)


def row_error_hint(row: ErrorRow) -> str:
    """Return what to do about it, in the operator's language."""
    return sentence_if_possible(row.hint_template, row.params, _of_errors)


def row_error_details(row: ErrorRow) -> str:
    """Return all that there is of a task's error, for copying: in English, with what other programs said."""
    return lines(part for part in (row.code, row.message, row.hint, row.details) if part)


def row_error_tip(row: ErrorRow | None) -> str | None:
    """Return what went wrong and what to do about it, for a tooltip; None where nothing did."""
    return None if row is None else lines((row_error_message(row), row_error_hint(row)))


def message_text(template: str, params: Params) -> str:
    """Return a log line in the operator's language; the English template is the key.

    Raises:
        KeyError, ValueError, IndexError: the parameters do not fit the template.
    """
    return sentence(template, params, _of_messages)


def said_text(said: Sayable) -> str:
    """Return a message, a word of an enum or an error in the operator's language."""
    message = said.said()
    return sentence_if_possible(message.kind.template, message.params, _of_messages)


def param_text(param: Param) -> str:
    """Return a parameter that stands by itself: text as it is, a message in the operator's language."""
    return param if isinstance(param, str) else said_text(param)


def _of_errors(template: str) -> str:
    return QCoreApplication.translate("Errors", template) if template else ""


def _of_messages(template: str) -> str:
    return QCoreApplication.translate("Messages", template) if template else ""
