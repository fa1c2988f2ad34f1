"""A VM's configuration as it is kept next to the disks of a restore point: ``config.json``.

The file is a JSON object with ``format`` and ``version``, where the VM was (``datacenter``, ``folder``, ``host``,
``resource_pool``, ``power_state``), the same places by id and path (``places``, each of them optional), what its
references mean (``networks`` and ``datastores``, by id or key), and under ``config`` the platform's complete
``VirtualMachineConfigInfo`` as :mod:`app.vsphere.vim_json` writes it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import vim

from app.domain.vms import PowerState
from app.vsphere.errors import ConfigurationUnreadable
from app.vsphere.reasons import NOT_A_CONFIGURATION, OTHER_VERSION, UNREADABLE
from app.vsphere.vim_json import UnreadableDocument, decode, encode

CONFIG_FILE = "config.json"
VMX_FILE = "vm.vmx"
NVRAM_FILE = "vm.nvram"
_FORMAT = "standfast-vsphere-vm"
_VERSION = 1
_PLACES = (
    *("platform_instance", "datacenter_id", "datacenter_path", "folder_id", "host_id", "resource_pool_id"),
    "resource_pool_path",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SavedVm:
    """What is known of a saved VM besides its disks' data."""

    config: Any
    """``vim.vm.ConfigInfo``"""
    power_state: PowerState
    datacenter: str
    folder: tuple[str, ...]
    host: str
    resource_pool: str
    api_version: str
    networks: Mapping[str, str] = field(default_factory=dict)
    """Names of networks by managed object id, by distributed port group key, and by opaque network id."""
    datastores: Mapping[str, str] = field(default_factory=dict)
    """Names of datastores by managed object id."""
    platform_instance: str = ""
    """UUID that the platform gave itself, which sets its ids apart from those of others; empty when unknown."""
    datacenter_id: str = ""
    datacenter_path: str = ""
    folder_id: str = ""
    host_id: str = ""
    resource_pool_id: str = ""
    resource_pool_path: str = ""
    """Escaped names of the pools from below the root pool down; empty for the root pool."""


def write(saved: SavedVm) -> bytes:
    """Return the content of ``config.json``."""
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "api_version": saved.api_version,
        "power_state": saved.power_state.value,
        "datacenter": saved.datacenter,
        "folder": list(saved.folder),
        "host": saved.host,
        "resource_pool": saved.resource_pool,
        "networks": dict(saved.networks),
        "datastores": dict(saved.datastores),
        "places": {name: getattr(saved, name) for name in _PLACES if getattr(saved, name)},
        "config": encode(saved.config),
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def read(content: bytes) -> SavedVm:
    """Read ``config.json``.

    Raises:
        ConfigurationUnreadable: it is not one, or was written by a newer program.
    """
    try:
        document = json.loads(content)
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise ConfigurationUnreadable(detail=NOT_A_CONFIGURATION)
        if document.get("version") != _VERSION:
            raise ConfigurationUnreadable(
                detail=OTHER_VERSION.fill(version=document.get("version"), expected=_VERSION)
            )
        places = document.get("places") or {}
        return SavedVm(
            **{name: _text(places.get(name, "")) for name in _PLACES},
            config=decode(document["config"], vim.vm.ConfigInfo),
            power_state=PowerState(document["power_state"]),
            datacenter=_text(document["datacenter"]),
            folder=tuple(_text(name) for name in document["folder"]),
            host=_text(document["host"]),
            resource_pool=_text(document["resource_pool"]),
            api_version=_text(document["api_version"]),
            networks={_text(key): _text(name) for key, name in document["networks"].items()},
            datastores={_text(key): _text(name) for key, name in document["datastores"].items()},
        )
    except UnreadableDocument as error:
        raise ConfigurationUnreadable(detail=UNREADABLE.fill(details=str(error))) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationUnreadable(
            detail=UNREADABLE.fill(details=f"{type(error).__name__}: {error}")
        ) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value
