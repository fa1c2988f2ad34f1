"""The LicenseManager: which license the hosts have."""

from pyVmomi import vim, vmodl

from app.simulator.spec import License
from app.simulator.world import World, WorldObject

_EVALUATION_HOURS = 1440


class SimLicenseManager(WorldObject):
    """The LicenseManager."""

    vim_type = vim.LicenseManager

    def __init__(self, world: World, moid: str) -> None:
        license = _info(world.spec.license, world.spec.version[0])
        super().__init__(
            world,
            moid,
            licenses=[license],
            licensedEdition=license.editionKey,
            sourceAvailable=True,
            evaluation=vim.LicenseManager.EvaluationInfo(properties=license.properties),
        )


def _info(license: License, major: str) -> vim.LicenseManager.LicenseInfo:
    key, edition, name = {
        License.EVALUATION: ("00000-00000-00000-00000-00000", "eval", "Evaluation Mode"),
        License.ENTERPRISE: (
            "SIM00-ENT00-PLUS0-00000-00001",
            "esx.enterprisePlus.cpuPackage",
            f"VMware vSphere {major} Enterprise Plus",
        ),
        License.ESSENTIALS: (
            "SIM00-ESS00-PLUS0-00000-00001",
            "esx.essentialsPlus.cpuPackage",
            f"VMware vSphere {major} Essentials Plus",
        ),
        License.FREE: ("SIM00-FREE0-HYPER-VISOR-00001", "esxBasic", f"VMware vSphere {major} Hypervisor"),
    }[license]
    properties = {"ProductName": "VMware ESX Server", "ProductVersion": f"{major}.0"}
    if license is License.EVALUATION:
        properties |= {"expirationHours": str(_EVALUATION_HOURS), "expirationMinutes": "0"}
    if license is not License.FREE:
        properties |= {"feature": "vStorage APIs"}
    return vim.LicenseManager.LicenseInfo(
        licenseKey=key,
        editionKey=edition,
        name=name,
        total=0,
        used=0,
        costUnit="cpuPackage",
        properties=[vmodl.KeyAnyValue(key=name, value=value) for name, value in properties.items()],
    )
