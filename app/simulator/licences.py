"""The LicenseManager: which licence the hosts have."""

from pyVmomi import vim, vmodl

from app.simulator.spec import Licence
from app.simulator.world import World, WorldObject

_EVALUATION_HOURS = 1440


class SimLicenseManager(WorldObject):
    """The LicenseManager."""

    vim_type = vim.LicenseManager

    def __init__(self, world: World, moid: str) -> None:
        licence = _info(world.spec.licence, world.spec.version[0])
        super().__init__(
            world,
            moid,
            licenses=[licence],
            licensedEdition=licence.editionKey,
            sourceAvailable=True,
            evaluation=vim.LicenseManager.EvaluationInfo(properties=licence.properties),
        )


def _info(licence: Licence, major: str) -> vim.LicenseManager.LicenseInfo:
    key, edition, name = {
        Licence.EVALUATION: ("00000-00000-00000-00000-00000", "eval", "Evaluation Mode"),
        Licence.ENTERPRISE: (
            "SIM00-ENT00-PLUS0-00000-00001",
            "esx.enterprisePlus.cpuPackage",
            f"VMware vSphere {major} Enterprise Plus",
        ),
        Licence.FREE: ("SIM00-FREE0-HYPER-VISOR-00001", "esxBasic", f"VMware vSphere {major} Hypervisor"),
    }[licence]
    properties = {"ProductName": "VMware ESX Server", "ProductVersion": f"{major}.0"}
    if licence is Licence.EVALUATION:
        properties |= {"expirationHours": str(_EVALUATION_HOURS), "expirationMinutes": "0"}
    if licence is not Licence.FREE:
        properties |= {"feature": "vStorage APIs"}
    return vim.LicenseManager.LicenseInfo(
        licenseKey=key,
        editionKey=edition,
        name=name,
        total=0,
        used=0,
        costUnit="cpuPackage",
        properties=[vmodl.KeyAnyValue(key=one, value=value) for one, value in properties.items()],
    )
