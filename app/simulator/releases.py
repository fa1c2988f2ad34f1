"""The releases of vSphere that are simulated: what they call themselves, and what their interface is called."""

from dataclasses import dataclass
from typing import Final, Literal

Version = Literal["6.5.0", "6.7.0", "7.0.3", "8.0.3", "9.0.0"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version of vCenter and ESXi."""

    api_version: str
    """As ``about`` says it."""
    interface: str
    """pyVmomi's name of its vim25 interface."""
    vcenter_build: str
    esxi_build: str
    newest_hardware: int
    """Number of the newest virtual hardware version that its hosts know."""


RELEASES: Final[dict[str, Release]] = {
    "6.5.0": Release(
        api_version="6.5",
        interface="vim.version.version11",
        vcenter_build="4602587",
        esxi_build="4564106",
        newest_hardware=13,
    ),
    "6.7.0": Release(
        api_version="6.7",
        interface="vim.version.version12",
        vcenter_build="8217866",
        esxi_build="8169922",
        newest_hardware=14,
    ),
    "7.0.3": Release(
        api_version="7.0.3.0",
        interface="vim.version.v7_0_3_0",
        vcenter_build="18700403",
        esxi_build="18644231",
        newest_hardware=19,
    ),
    "8.0.3": Release(
        api_version="8.0.3.0",
        interface="vim.version.v8_0_3_0",
        vcenter_build="24322831",
        esxi_build="24022510",
        newest_hardware=21,
    ),
    "9.0.0": Release(
        api_version="9.0.0.0",
        interface="vim.version.v9_0_0_0",
        vcenter_build="24755230",
        esxi_build="24755229",
        newest_hardware=22,
    ),
}
