"""The ServiceInstance: what a client asks first."""

import uuid
from datetime import datetime
from typing import Any

from pyVmomi import vim

from app.simulator import vmomi
from app.simulator.calls import Call
from app.simulator.client_session import ClientSession
from app.simulator.releases import RELEASES
from app.simulator.spec import SimulatorSpec
from app.simulator.wellknown import SERVICE_INSTANCE, well_known
from app.simulator.world import World, WorldObject

_CONTENT = (
    "rootFolder",
    "propertyCollector",
    "viewManager",
    "sessionManager",
    "authorizationManager",
    "eventManager",
    "taskManager",
    "licenseManager",
    "searchIndex",
    "fileManager",
    "virtualDiskManager",
)


def about_info(spec: SimulatorSpec) -> vim.AboutInfo:
    """Return how a server of this flavour and version introduces itself."""
    release = RELEASES[spec.version]
    vcenter_build, esxi_build = release.vcenter_build, release.esxi_build
    common = {
        "vendor": "VMware, Inc.",
        "version": spec.version,
        "localeVersion": "INTL",
        "localeBuild": "000",
        "apiVersion": release.api_version,
        "licenseProductVersion": f"{spec.version[0]}.0",
    }
    if spec.is_vcenter:
        return vim.AboutInfo(
            name="VMware vCenter Server",
            fullName=f"VMware vCenter Server {spec.version} build-{vcenter_build} (simulated)",
            build=vcenter_build,
            osType="linux-x64",
            productLineId="vpx",
            apiType="VirtualCenter",
            instanceUuid=str(uuid.uuid5(uuid.NAMESPACE_OID, f"standfast-simulator-{spec.seed}")),
            licenseProductName="VMware VirtualCenter Server",
            **common,
        )
    return vim.AboutInfo(
        name="VMware ESXi",
        fullName=f"VMware ESXi {spec.version} build-{esxi_build} (simulated)",
        build=esxi_build,
        osType="vmnix-x86",
        productLineId="embeddedEsx",
        apiType="HostAgent",
        licenseProductName="VMware ESX Server",
        **common,
    )


class SimServiceInstance(WorldObject):
    """The ServiceInstance."""

    vim_type = vim.ServiceInstance
    volatile = frozenset({"serverClock", "content"})

    def __init__(self, world: World) -> None:
        capability = vim.Capability(
            provisioningSupported=True,
            multiHostSupported=world.spec.is_vcenter,
            userShellAccessSupported=not world.spec.is_vcenter,
        )
        super().__init__(world, SERVICE_INSTANCE, capability=capability)
        self._about = about_info(world.spec)

    def read(self, name: str, session: ClientSession | None = None) -> Any:
        """Return a property."""
        if name == "content":
            return self._content()
        if name == "serverClock":
            return self.world.now()
        return super().read(name, session)

    def be_another(self, instance_uuid: str) -> None:
        """Introduce the server under another instance UUID from now on."""
        about = about_info(self.world.spec)
        about.instanceUuid = instance_uuid
        self._about = about

    def RetrieveServiceContent(self, call: Call) -> vim.ServiceInstanceContent:
        """Return the references to everything that exists once."""
        return self._content()

    def RetrieveInternalContent(self, call: Call) -> Any:
        """Return the references that VMware does not document; source: protocols page *NFC*, section 1."""
        types, ids = vmomi.internal_types(), well_known(self.world.spec.flavour)
        return types["InternalServiceInstanceContent"](
            nfcService=types["NfcService"](ids.nfcService),
            llProvisioningManager=types["HostLowLevelProvisioningManager"](ids.llProvisioningManager),
        )

    def CurrentTime(self, call: Call) -> datetime:
        """Return the server's clock."""
        return self.world.now()

    def _content(self) -> vim.ServiceInstanceContent:
        ids = well_known(self.world.spec.flavour)
        found = {name: self.world.find(getattr(ids, name)) for name in _CONTENT}
        references = {name: obj.ref for name, obj in found.items() if obj is not None}
        references.setdefault("rootFolder", vim.Folder(ids.rootFolder))
        return vim.ServiceInstanceContent(about=self._about, **references)
