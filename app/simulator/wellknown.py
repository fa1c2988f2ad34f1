"""The ids of the managed objects that exist once, as a vCenter and a bare ESXi name them."""

from dataclasses import dataclass

from app.simulator.spec import Flavour

SERVICE_INSTANCE = "ServiceInstance"


@dataclass(frozen=True, slots=True, kw_only=True)
class WellKnown:
    """Managed object ids by what they are for; the names are those of ServiceContent."""

    rootFolder: str  # noqa: N815 - as on the wire
    propertyCollector: str  # noqa: N815
    viewManager: str  # noqa: N815
    sessionManager: str  # noqa: N815
    authorizationManager: str  # noqa: N815
    eventManager: str  # noqa: N815
    taskManager: str  # noqa: N815
    licenseManager: str  # noqa: N815
    searchIndex: str  # noqa: N815
    fileManager: str  # noqa: N815
    virtualDiskManager: str  # noqa: N815
    nfcService: str  # noqa: N815
    llProvisioningManager: str  # noqa: N815


_VCENTER = WellKnown(
    rootFolder="group-d1",
    propertyCollector="propertyCollector",
    viewManager="ViewManager",
    sessionManager="SessionManager",
    authorizationManager="AuthorizationManager",
    eventManager="EventManager",
    taskManager="TaskManager",
    licenseManager="LicenseManager",
    searchIndex="SearchIndex",
    fileManager="FileManager",
    virtualDiskManager="virtualDiskManager",
    nfcService="nfcService",
    llProvisioningManager="llProvisioningManager",
)
_ESXI = WellKnown(
    rootFolder="ha-folder-root",
    propertyCollector="ha-property-collector",
    viewManager="ViewManager",
    sessionManager="ha-sessionmgr",
    authorizationManager="ha-authmgr",
    eventManager="ha-eventmgr",
    taskManager="ha-taskmgr",
    licenseManager="ha-license-manager",
    searchIndex="ha-searchindex",
    fileManager="ha-nfc-file-manager",
    virtualDiskManager="ha-vdiskmanager",
    nfcService="ha-nfc-service",
    llProvisioningManager="ha-ll-provisioning-manager",
)


def well_known(flavour: Flavour) -> WellKnown:
    """Return the ids of a flavour."""
    return _VCENTER if flavour is Flavour.VCENTER else _ESXI
