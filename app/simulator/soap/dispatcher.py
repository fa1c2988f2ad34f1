"""Finds the object and the method of a call, checks who may, and turns what comes of it into an answer."""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyVmomi import VmomiSupport, vim, vmodl

from app.simulator import vmomi
from app.simulator.calls import Call
from app.simulator.client_session import ClientSession
from app.simulator.objects import SimObject, not_found, session_objects
from app.simulator.property_path import invalid_property
from app.simulator.releases import RELEASES
from app.simulator.soap.reply import fault_envelope, fetch_envelope, result_envelope
from app.simulator.soap.request import Request, read_request
from app.simulator.soap.serializer import Serializer, serializer_for
from app.simulator.spec import License
from app.simulator.storage import StorageError
from app.simulator.vm.storage_faults import vim_fault
from app.simulator.world import World

_log = logging.getLogger(__name__)

_ACTION = re.compile(r'"?urn:(vim25)(?:/([\w.]+))?"?')
_OPEN_PROPERTIES = frozenset({("ServiceInstance", "content"), ("SessionManager", "currentSession")})
_READ_PREFIXES = (
    "Query",
    "Retrieve",
    "Find",
    "Has",
    "Fetch",
    "Check",
    "Acquire",
    "NfcGet",
    "NfcRandomAccessOpenR",
)
_READ_PRIVILEGES = ("System.", "Sessions.", "Global.", "Task.", "Authorization.")


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the client; None as body cuts the connection."""

    status: int
    body: bytes | None
    cookie: str | None = None
    """Value of the session cookie to set, when the client did not bring it."""


class Dispatcher:
    """Answers SOAP calls. Thread: any, one call per thread."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._version = RELEASES[world.spec.version].interface
        self._serializer = serializer_for(self._version)

    def answer(self, body: bytes, *, action: str, cookie: str | None, address: str, agent: str = "") -> Reply:
        """Answer the body of a POST; whatever it holds, there is an answer.

        Args:
            body: the SOAP envelope.
            action: the SOAPAction header, which names the client's API version.
            cookie: value of the session cookie, if the client sent one.
            address: the client's address.
            agent: what the client calls itself.

        Raises:
            OutOfSessions: there are as many sessions as may be.
        """
        serializer = self._serializer
        with self._world.sessions.use(cookie, address, agent) as session:
            fresh = None if session.cookie == cookie else session.cookie
            try:
                serializer = self._client_serializer(action)
                request = read_request(body)
                content = self._perform(request, session, serializer)
                if self._world.faults.loses_answer(request.method.wsdl_name):
                    return Reply(200, None)
                return Reply(200, content, fresh)
            except vmodl.MethodFault as fault:
                return Reply(500, self._fault(fault, serializer), fresh)
            except StorageError as failed:
                return Reply(500, self._fault(vim_fault(failed), serializer), fresh)
            except Exception as bug:  # noqa: BLE001 - a bug of ours must become an answer, not a dead connection
                _log.exception("a call failed")
                failure = vmodl.fault.SystemError(
                    msg=f"A general system error occurred: {bug!r}", reason=repr(bug)
                )
                return Reply(500, self._fault(failure, serializer), fresh)

    def version_list(self) -> bytes:
        """Return the document from which clients learn which API versions are spoken."""
        older = [
            VmomiSupport.versionIdMap[version]
            for version in VmomiSupport.GetServiceVersions("vim25")
            if version != self._version
            and VmomiSupport.versionIdMap[version]
            and vmomi.is_at_least(self._version, version)
        ]
        prior = "".join(f"<version>{version}</version>" for version in older)
        newest = VmomiSupport.versionIdMap[self._version]
        return (
            '<?xml version="1.0" encoding="UTF-8" ?><namespaces version="1.0"><namespace><name>urn:vim25</name>'
            f"<version>{newest}</version><priorVersions>{prior}</priorVersions></namespace></namespaces>"
        ).encode()

    def _client_serializer(self, action: str) -> Serializer:
        match = _ACTION.fullmatch(action.strip()) if action.strip() not in ("", '""') else None
        if match is None or match[2] is None:
            return self._serializer
        version = VmomiSupport.versionMap.get(f"{match[1]}/{match[2]}")
        if version is None or not vmomi.is_at_least(self._version, version):
            raise vmodl.fault.InvalidRequest(msg=f'Unsupported version URI "urn:{match[1]}/{match[2]}"')
        return serializer_for(version)

    def _fault(self, fault: vmodl.MethodFault, serializer: Serializer) -> bytes:
        with self._world.lock:
            return fault_envelope(fault, serializer)

    def _perform(self, request: Request, session: ClientSession, serializer: Serializer) -> bytes:
        name = request.method.wsdl_name
        call = Call(self._world.tasks, session, name, serializer)
        self._delay(name)
        self._world.faults.on_call(name)
        if name == "Fetch":
            return self._fetch(call, request, serializer)
        target = self._target(call, request)
        self._check_rights(call, request, target)
        handler = getattr(target, name, None)
        if handler is None:
            raise vmodl.fault.NotSupported(msg=f"{name} is not supported by this server.")
        result = handler(call, **request.arguments)
        with self._world.lock:
            return result_envelope(request.method, result, serializer)

    def _delay(self, name: str) -> None:
        seconds = self._world.faults.call_delay_s(name)
        if seconds:
            self._world.tasks.stop_event.wait(seconds)

    def _fetch(self, call: Call, request: Request, serializer: Serializer) -> bytes:
        path: str = request.arguments["prop"]
        target = self._find(call, request.this)
        kind = vmomi.wsdl_name_of(target.vim_type) if target is not None else ""
        if (kind, path) not in _OPEN_PROPERTIES:
            call.require("System.View", target or _StandIn(request.this))
        if target is None:
            raise not_found(request.this)
        info = vmomi.property_info(target.vim_type, path)
        if info is None:
            raise invalid_property(path)
        with self._world.lock:
            return fetch_envelope(target.read(path, call.session), info.type, serializer)

    def _target(self, call: Call, request: Request) -> SimObject:
        target = self._find(call, request.this)
        if request.method.privilege != "System.Anonymous":
            call.require("System.View", target or _StandIn(request.this))
        if target is None:
            raise not_found(request.this)
        owner = request.method.owner
        if not issubclass(target.vim_type, owner):
            raise vmodl.fault.MethodNotFound(
                msg=f"{request.method.wsdl_name} is no method of {target.moid}.",
                receiver=target.ref,
                method=request.method.wsdl_name,
            )
        return target

    def _find(self, call: Call, ref: Any) -> SimObject | None:
        own = session_objects(call.session).get(ref._moId) if call.session is not None else None
        found = own or self._world.find(ref._moId)
        return found if found is not None and vmomi.refers_to(ref, found.vim_type) else None

    def _check_rights(self, call: Call, request: Request, target: SimObject) -> None:
        method = request.method
        if self._world.spec.license is License.FREE and _changes_something(method):
            raise vim.fault.RestrictedVersion(
                msg="Current license or ESXi version prohibits execution of the requested operation."
            )
        if method.privilege is not None:
            call.require(method.privilege, target)
        for parameter in method.params:
            if parameter.privilege is not None:
                for ref in _references(request.arguments[parameter.name]):
                    found = self._find(call, ref)
                    if found is not None:  # the method itself knows what to say of what does not exist
                        call.require(parameter.privilege, found)


class _StandIn:
    """Stands for an object that does not exist in a refusal to a client that may not know that."""

    def __init__(self, ref: Any) -> None:
        self.ref = ref


def _references(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def _changes_something(method: vmomi.Method) -> bool:
    if method.is_task:
        return True
    if method.privilege is None or method.wsdl_name.startswith(_READ_PREFIXES):
        return method.wsdl_name in ("MakeDirectory", "DestroyDatastore")
    return not method.privilege.startswith(_READ_PRIVILEGES)
