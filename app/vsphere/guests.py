"""What has become of a started VM's guest: what its tools say, and a picture of its console.

Source: ``GuestInfo`` and ``VirtualMachine.CreateScreenshot_Task`` of the vSphere Web Services reference: the
result is the datastore path of a PNG file, which stays there until it is deleted.
"""

from typing import Any, Final

from pyVmomi import vim, vmodl

from app.core.guests import GuestSigns
from app.domain.ids import VmId
from app.vsphere import tasks
from app.vsphere.datacenters import datacenter_of
from app.vsphere.errors import PlatformRefused
from app.vsphere.files import SmallFiles
from app.vsphere.names import DatastorePath, unescaped
from app.vsphere.properties import read, read_many
from app.vsphere.reasons import NO_PICTURE
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation

_SCREENSHOT_S: Final = 120.0
_DELETE_S: Final = 120.0
_PICTURE_BYTES: Final = 16 << 20
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_STATUS, _VERSION, _NAME = "guest.toolsRunningStatus", "guest.toolsVersionStatus2", "guest.hostName"


class Guests:
    """Looks at guests over one session. Thread: any."""

    def __init__(self, session: VSphereSession, files: SmallFiles) -> None:
        self._session = session
        self._files = files

    def signs(self, vm: VmId) -> GuestSigns:
        """Return what the VM's tools say now; see ``ShowsGuests.guest_signs``.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        row = self._session.run(
            lambda connection: read(connection.query(), connection.vm(vm), _STATUS, _VERSION, _NAME)
        )
        tools_run = row.get(_STATUS) == "guestToolsRunning"
        return GuestSigns(
            tools_run=tools_run,
            has_tools=tools_run or row.get(_VERSION) not in (None, "guestToolsNotInstalled"),
            hostname=row.get(_NAME) or "",
        )

    def screenshot(self, vm: VmId) -> bytes:
        """Return a picture of the VM's console as a PNG file; see ``ShowsGuests.screenshot``.

        Raises:
            PlatformRefused: the platform makes none, or what it made is none.
            OperationalError: as of :class:`SmallFiles`.
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        waiting = Waiting(
            operation=Operation.TAKE_SCREENSHOT,
            deadline=Deadline.after(self._session.clock, _SCREENSHOT_S),
        )
        made = tasks.run_task(self._session, lambda connection: connection.vm(vm).CreateScreenshot_Task(), waiting)
        path = self._session.run(lambda connection: _path_of(connection, vm, str(made or "")))
        if path is None:
            raise self._refused()
        try:
            picture = self._files.fetch(path, vm, limit_bytes=_PICTURE_BYTES)
        finally:
            self._delete(path, vm)
        if not picture.startswith(_PNG):
            raise self._refused()
        return picture

    def _refused(self) -> PlatformRefused:
        return PlatformRefused(
            address=self._session.platform.address, operation=Operation.TAKE_SCREENSHOT, detail=NO_PICTURE
        )

    def _delete(self, path: DatastorePath, vm: VmId) -> None:
        waiting = Waiting(operation=Operation.DELETE_FILE, deadline=Deadline.after(self._session.clock, _DELETE_S))

        def start(connection: Connection) -> Any:
            moid = datacenter_of(connection, vm)
            datacenter = connection.object(vim.Datacenter, moid) if moid else None
            return connection.content.fileManager.DeleteDatastoreFile_Task(name=str(path), datacenter=datacenter)

        try:
            tasks.run_task(self._session, start, waiting)
        except vim.fault.FileNotFound:
            return
        except vmodl.fault.ManagedObjectNotFound as error:
            if not tasks.is_about_a_task(error):
                raise


def _path_of(connection: Connection, vm: VmId, text: str) -> DatastorePath | None:
    """Return the path of a picture; None when it is none on a datastore of the VM."""
    query = connection.query()
    stores = read(query, connection.vm(vm), "datastore").get("datastore") or ()
    names = [unescaped(row.get("name") or "") for row in read_many(query, stores, "name")]
    try:
        path = DatastorePath.parse(text, names)
    except ValueError:
        return None
    return path if path.file.lower().endswith(".png") else None
