"""Foreign errors become ours, the most specific first, keeping the cause."""

import http.client
import pickle
import ssl
from xml.parsers.expat import ExpatError

import pytest
from pyVmomi import vim, vmodl

from app.domain.errors import (
    CertificateChanged,
    LicenseRefused,
    LoginRefused,
    OperationalError,
    PlatformUnreachable,
    PrivilegeMissing,
    TaskCancelled,
    VmNotFound,
)
from app.vsphere.answers import StatusRefused
from app.vsphere.errors import (
    CertificateUntrusted,
    DatastoreFull,
    NotVSphere,
    OperationUnsupported,
    PlatformBusy,
    PlatformRefused,
)
from app.vsphere.faults import Attempt, error_reason, is_unavailable, translate, translated
from app.vsphere.faultwords import fault_reason, fault_text
from app.vsphere.words import Operation

ATTEMPT = Attempt(
    address="vc.lab", user="backup@vsphere.local", operation=Operation.CREATE_SNAPSHOT, target="web-01"
)


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        (ConnectionRefusedError(111, "Connection refused"), PlatformUnreachable),
        (TimeoutError("timed out"), PlatformUnreachable),
        (ssl.SSLError(1, "wrong version number"), PlatformUnreachable),
        (ssl.SSLCertVerificationError(1, "self-signed"), CertificateUntrusted),
        (http.client.RemoteDisconnected("closed"), PlatformUnreachable),
        (StatusRefused(503, "Service Unavailable"), PlatformUnreachable),
        (ExpatError("not well-formed"), NotVSphere),
        (vim.fault.InvalidLogin(), LoginRefused),
        (vim.fault.PasswordExpired(), LoginRefused),
        (vim.fault.NotAuthenticated(), PlatformUnreachable),
        (vim.fault.NoPermission(privilegeId="VirtualMachine.State.CreateSnapshot"), PrivilegeMissing),
        (vim.fault.RestrictedVersion(), LicenseRefused),
        (vmodl.fault.ManagedObjectNotFound(obj=vim.VirtualMachine("vm-1")), VmNotFound),
        (vmodl.fault.ManagedObjectNotFound(obj=vim.Datastore("datastore-1")), PlatformRefused),
        (vmodl.fault.MethodNotFound(), OperationUnsupported),
        (vmodl.fault.NotSupported(), OperationUnsupported),
        (vim.fault.TaskInProgress(), PlatformBusy),
        (vmodl.fault.HostNotConnected(), PlatformBusy),
        (vim.fault.FileLocked(), PlatformBusy),
        (vim.fault.NoDiskSpace(), DatastoreFull),
        (vim.fault.FileNotFound(), PlatformRefused),
        (vim.fault.InvalidPowerState(), PlatformRefused),
        (vmodl.fault.SystemError(), PlatformRefused),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_foreign_error_becomes_the_one_that_fits_best(foreign: Exception, ours: type[OperationalError]) -> None:
    with pytest.raises(OperationalError) as caught, translated(ATTEMPT):
        raise foreign
    assert type(caught.value) is ours
    assert caught.value.__cause__ is foreign
    assert pickle.loads(pickle.dumps(caught.value)).params == caught.value.params


def test_connection_failures_are_worth_trying_again() -> None:
    assert translate(ConnectionResetError(), ATTEMPT).retryable
    assert translate(vim.fault.TaskInProgress(), ATTEMPT).retryable
    assert not translate(vim.fault.InvalidLogin(), ATTEMPT).retryable


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StatusRefused(503, "Service Unavailable"), True),
        (StatusRefused(502, "503 of the server behind it"), False),
        (http.client.HTTPException("503 Service Unavailable"), False),
        (ConnectionResetError(), False),
    ],
)
def test_only_status_503_says_that_nothing_took_the_request(error: Exception, expected: bool) -> None:
    assert is_unavailable(error) is expected


def test_missing_privilege_is_named_with_what_it_is_missing_on() -> None:
    fault = vim.fault.NoPermission(privilegeId="VirtualMachine.Config.ChangeTracking")
    error = translate(fault, ATTEMPT)
    assert error.params == {"privilege": "VirtualMachine.Config.ChangeTracking", "target": "web-01"}


def test_all_missing_privileges_are_named() -> None:
    missing: type = vim.fault.NoPermission.EntityPrivileges
    on_vm = missing(entity=vim.VirtualMachine("vm-7"), privilegeIds=["A", "B"])
    fault = vim.fault.NoPermission(
        object=vim.VirtualMachine("vm-7"),
        privilegeId="A",
        missingPrivileges=[on_vm],
    )
    error = translate(fault, Attempt(address="vc.lab"))
    assert error.params == {"privilege": "A, B", "target": "vm-7"}


def test_fault_text_is_the_platforms_own_sentence() -> None:
    fault = vim.fault.GenericVmConfigFault(
        msg="Cannot open the disk.",
        reason="x",
        faultMessage=[vmodl.LocalizableMessage(key="k", message="Locked.")],
    )
    assert fault_text(fault) == "Cannot open the disk. Locked."
    assert fault_text(vim.fault.FileLocked()) == "FileLocked"
    assert error_reason(ValueError()).details == "ValueError"
    busy = PlatformBusy(address="a", operation="b", detail="c")
    assert str(error_reason(busy)) == "a cannot b right now: c."
    assert fault_reason(fault).details == "GenericVmConfigFault: Cannot open the disk. Locked."
    assert str(fault_reason(fault)) == "the configuration of the VM does not allow it"
    assert str(fault_reason(vim.fault.FileLocked())) == "a file is locked by another VM or program"


def test_our_errors_and_cancellation_pass_unchanged() -> None:
    change = CertificateChanged(address="a", actual="b", expected="c")
    for error in (change, TaskCancelled(), KeyError("a bug")):
        with pytest.raises(type(error)) as caught, translated(ATTEMPT):
            raise error
        assert caught.value is error


def test_bug_is_not_dressed_up_for_the_operator() -> None:
    with pytest.raises(TypeError):
        translate(KeyError("a bug"), ATTEMPT)
