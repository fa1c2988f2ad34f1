"""A SOAP call on its way to a managed object: who calls, with which rights, and how it starts a task."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pyVmomi import vim

from app.simulator.client_session import ClientSession
from app.simulator.objects import SimObject
from app.simulator.progress import TaskProgress
from app.simulator.soap.serializer import Serializer


class HasRef(Protocol):
    """Anything that a refusal can point at."""

    ref: Any


class StartsTasks(Protocol):
    """Runs work on task threads; the world's ``TaskRunner`` fulfils it. Thread: any."""

    def start(
        self,
        obj: SimObject,
        wsdl_name: str,
        run: Callable[[TaskProgress], Any],
        *,
        user: str = "",
        cancelable: bool = False,
    ) -> vim.Task:
        """Run work as a task on an object; see :meth:`Call.start_task`."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One SOAP call on its way to a managed object."""

    tasks: StartsTasks
    session: ClientSession | None
    method: str
    """WSDL name of the method that was called."""
    serializer: Serializer | None = None
    """Writes values for the API version that this client speaks; None outside the wire."""

    @property
    def user(self) -> str:
        """Name of the account that calls, empty before login."""
        return self.session.user.name if self.session is not None and self.session.user is not None else ""

    def require(self, privilege: str, obj: HasRef) -> None:
        """Refuse a caller that lacks a privilege.

        Raises:
            vim.fault.NotAuthenticated: the session is not logged in.
            vim.fault.NoPermission: the account lacks the privilege.
        """
        if privilege == "System.Anonymous":
            return
        if self.session is None or self.session.user is None:
            raise vim.fault.NotAuthenticated(
                msg="The session is not authenticated.", object=obj.ref, privilegeId=privilege
            )
        if not self.session.holds(privilege, places_of(obj)):
            raise vim.fault.NoPermission(
                msg="Permission to perform this operation was denied.", object=obj.ref, privilegeId=privilege
            )

    def start_task(
        self,
        obj: SimObject,
        wsdl_name: str,
        run: Callable[[TaskProgress], Any],
        *,
        cancelable: bool = False,
    ) -> vim.Task:
        """Run work on a task thread; its result or fault ends up in the task's info.

        Args:
            obj: the entity that the task is about.
            wsdl_name: such as ``CreateSnapshot_Task``.
            run: the work; what it returns is the task's result, a ``vmodl.MethodFault`` it raises its error.
            cancelable: True when ``run`` calls ``progress.check()`` now and then.
        """
        return self.tasks.start(obj, wsdl_name, run, user=self.user, cancelable=cancelable)


def places_of(obj: HasRef) -> frozenset[str]:
    """Return the names of an object of the inventory and of everything above it; none for what is not in it."""
    found: set[str] = set()
    current: SimObject | None = obj if isinstance(obj, SimObject) else None
    while current is not None:
        above = current.properties.get("parent") or current.properties.get("vm")
        if "name" in current.properties:
            found.add(str(current.properties["name"]))
        moid = getattr(above, "_moId", None)
        current = None if moid is None else current.store.find(moid)
    return frozenset(found)
