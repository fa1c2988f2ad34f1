"""The one tree of errors that an operator can fix.

An error is a class: it can be caught by name, its ``code`` is stable for translation and for machines, and its
parameters are kept apart from the sentence. Errors that several layers know live here; those of one layer live
in that layer's ``errors.py``. Everything that is not an :class:`OperationalError` is a bug.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

from app.domain.messages import DETAILS, Message, MessageKind, Param, Params, details_of, param_values, sentence


class TaskCancelled(Exception):
    """The operator stopped the task."""


class OperationalError(Exception):
    """Something went wrong that the operator can understand and fix.

    Subclasses set ``code``, ``message_template`` and ``hint_template``; the templates are filled from the
    keyword parameters, which are those of a message (:mod:`app.domain.messages`): names, numbers, or other
    messages. What other programs said goes into ``details``. Parameters never hold a secret.

    Raises:
        KeyError: a template names a parameter that was not given (at construction, so that tests find it).
        TypeError: a parameter is an enum that has no words.
    """

    code: str = "operational"
    message_template: str = "{detail}"
    hint_template: str = "See the log for details."
    retryable: bool = False

    def __init__(self, **params: object) -> None:
        self.params: dict[str, Param] = dict(param_values(params))
        self.message = sentence(self.message_template, self.params)
        self.hint = sentence(self.hint_template, self.params)
        super().__init__(self.message)

    def __str__(self) -> str:
        details = f" Details: {self.details}" if self.details else ""
        return f"{self.message} {self.hint}{details}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.params)

    @property
    def details(self) -> str:
        """What other programs said of it, line by line; empty where they said nothing."""
        return details_of(self.params)

    def said(self) -> Message:
        """Return what went wrong as a message, which can stand inside another one."""
        return Message(
            MessageKind(self.code, self.message_template), _named_in(self.message_template, self.params)
        )

    def remedy(self) -> Message:
        """Return what to do about it as a message."""
        kind = MessageKind(f"{self.code}.remedy", self.hint_template)
        params = _named_in(self.hint_template, self.params)
        return Message(kind, tuple((name, value) for name, value in params if name != DETAILS))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptError:
    """An error as it is kept: its stable code, its English templates and its parameters, sorted by name.

    Rows of older versions of the program have no templates.
    """

    code: str
    template: str = ""
    hint_template: str = ""
    params: Params = ()
    retryable: bool = False

    @classmethod
    def of(cls, error: OperationalError) -> "KeptError":
        """Return what is kept of an error."""
        return cls(
            code=error.code,
            template=error.message_template,
            hint_template=error.hint_template,
            params=tuple(sorted(error.params.items())),
            retryable=error.retryable,
        )


def _named_in(template: str, params: Mapping[str, Param]) -> Params:
    names = {name for _, name, _, _ in Formatter().parse(template)} | {DETAILS}
    return tuple(sorted((name, value) for name, value in params.items() if name in names))


def _rebuild(kind: type[OperationalError], params: dict[str, Param]) -> OperationalError:
    return kind(**params)


class PlatformUnreachable(OperationalError):
    """The virtual platform does not answer."""

    code = "platform.unreachable"
    message_template = "{address} cannot be reached: {detail}."
    hint_template = "Check the network, the address and that port {port} is open from this machine."
    retryable = True


class SessionsExhausted(PlatformUnreachable):
    """The platform answers, and opens no session: it has as many as it allows, or its services are starting."""

    code = "platform.sessions_exhausted"
    message_template = "Nobody can log in to {address} now: {detail}."
    hint_template = (
        "End sessions that nobody needs (in vCenter under the monitoring of the server, Sessions), and look which "
        "program leaves them open; or let the platform have more (config.vmacore.soap.maxSessionCount)."
    )


class LoginRefused(OperationalError):
    """The virtual platform did not accept the account."""

    code = "platform.login_refused"
    message_template = "{address} did not accept the account {user}."
    hint_template = "Enter the current password under Virtual platforms, and check that the account is not locked."


class CertificateChanged(OperationalError):
    """The server shows another certificate than the one the operator confirmed."""

    code = "platform.certificate_changed"
    message_template = (
        "{address} shows a certificate that was never confirmed (SHA-256 {actual}; expected {expected})."
    )
    hint_template = (
        "If the certificate was renewed on purpose, confirm the new one under Virtual platforms; "
        "otherwise the connection may be intercepted."
    )


class PrivilegeMissing(OperationalError):
    """The account may not do what is needed."""

    code = "platform.privilege_missing"
    message_template = "The account lacks the privilege {privilege} on {target}."
    hint_template = "Give the account a role with this privilege in vCenter, then run the task again."


class LicenseRefused(OperationalError):
    """The license of the host does not allow changes through the API."""

    code = "platform.license_refused"
    message_template = "The licence of {address} does not allow this program to {operation} through the API."
    hint_template = "The free ESXi licence is read-only for backup programs: assign an evaluation or paid licence."


class VmNotFound(OperationalError):
    """The VM is not there any more."""

    code = "vm.not_found"
    message_template = "The VM {vm} is not on {address} any more."
    hint_template = "Remove it from the rule, or register it again on the platform."


class SnapshotFailed(OperationalError):
    """The platform could not create or remove a snapshot."""

    code = "snapshot.failed"
    message_template = "The snapshot of {vm} could not be {operation}: {detail}."
    hint_template = "Look at the VM's recent tasks in vCenter; free space on the datastore and run the task again."
    retryable = True


class SnapshotRemovalRuns(OperationalError):
    """A snapshot is being removed on the platform, and nobody waits for it any more."""

    code = "snapshot.removal_runs"
    message_template = "The removal of a snapshot of {vm} still runs on the platform."
    hint_template = (
        "It ends by itself; watch it among the recent tasks of the VM, and do not cancel it there, or the disks "
        "need consolidation."
    )


class SnapshotGone(OperationalError):
    """Someone removed the snapshot of a backup while its disks were being read."""

    code = "snapshot.gone"
    message_template = (
        "The snapshot of {vm} was removed by another user or program while its disks were being read: "
        "what was read since may belong to no single moment, so no restore point was made."
    )
    hint_template = (
        "Leave snapshots alone whose names begin with Standfast- while a backup runs, also by clean-up scripts "
        "and other backup programs; then run the task again."
    )
    retryable = True


class ChangeTrackingLost(OperationalError):
    """The changed blocks since a change id cannot be determined; the disk has to be read whole."""

    code = "cbt.lost"
    message_template = "The changes of {disk} since {change_id} are not known: {detail}."
    hint_template = "Nothing to do: the disk is read whole this time and tracking starts again."


class DiskAccessFailed(OperationalError):
    """A disk could not be opened, read or written over a transport."""

    code = "transport.disk_access_failed"
    message_template = "{path} could not be {operation} over {mode}: {detail}."
    hint_template = "Check that ports 443 and 902 of the ESXi host are open, and that the host is not overloaded."
    retryable = True


class NoTransportAvailable(OperationalError):
    """No transport mode can reach the disk."""

    code = "transport.none_available"
    message_template = "No transport mode can reach {path}: {reasons}."
    hint_template = "Open port 902 from this machine to the ESXi hosts, or port 443 for HTTPS access."


class StandbyUnavailable(OperationalError):
    """The standby path cannot be used right now."""

    code = "standby.unavailable"
    message_template = "The standby path {path} cannot be used: {detail}."
    hint_template = "Check that the disk or share is mounted and that this account may write there."
    retryable = True


class StandbyFull(OperationalError):
    """There is no space left at the standby path."""

    code = "standby.full"
    message_template = "The standby path {path} is full ({free_bytes:size} free)."
    hint_template = "Free space there, shorten the retention, or add a larger standby path."
    retryable = True


class VmCreationFailed(OperationalError):
    """The platform could not create a VM."""

    code = "vm.creation_failed"
    message_template = "The VM {vm} could not be created: {detail}."
    hint_template = "Choose another name, host or datastore, and check the free space there."


class PowerOperationFailed(OperationalError):
    """The VM could not be powered on or off."""

    code = "vm.power_failed"
    message_template = "{vm} could not be powered {operation}: {detail}."
    hint_template = "Look at the VM's recent tasks in vCenter; answer a pending question there."


class NfsMountFailed(OperationalError):
    """A host does not mount what this machine serves."""

    code = "nfs.mount_failed"
    message_template = "The host {host} could not mount the datastore {datastore} of this machine: {detail}."
    hint_template = (
        "See that the host reaches {server} at the TCP ports 111 and 2049 and UDP port 111, and that it may have "
        "another NFS datastore; then try again."
    )


class NfsMountInUse(OperationalError):
    """A host cannot let go of a datastore of ours: something is on it still."""

    code = "nfs.mount_in_use"
    message_template = "The host {host} does not let go of the datastore {datastore}: {detail}."
    hint_template = "Move what is on it to another datastore, or remove it from the inventory; then stop it again."
    retryable = True
