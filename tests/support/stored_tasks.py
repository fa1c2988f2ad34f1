"""What tasks have to do, as catalogs hold it: these documents stay readable for ever."""

from typing import Any

Fields = dict[str, Any]

PLACEMENT: Fields = {
    "name": "web-2",
    "datacenter": "dc",
    "folder": ["A", "B"],
    "folder_id": "group-1",
    "vapp_id": "resgroup-v7",
    "host": "esx1",
    "datastore": "ds",
    "disk_datastores": [[2000, "ds-2"]],
    "keep_identity": True,
    "networks": [["old", "new"]],
    "mark": "m",
    "adapter_networks": [[4000, "net"]],
    "adapter_addresses": [[4000, "00:50:56:00:00:01"]],
    "cpus": 4,
    "cores_per_socket": 2,
    "memory_mib": 1024,
    "directory": "web-2",
    "present_disks": [[2000, "[ds] web-2/web-2.vmdk"]],
    "is_isolated": True,
}
AT_STANDBY: Fields = {"standby": "s1", "priority": 3}
AT_PLACE: Fields = {**AT_STANDBY, "target_path": "a/b"}
OF_POINT: Fields = {**AT_PLACE, "point": "chain/1"}
BACKUP: Fields = {
    **AT_PLACE,
    "platform": "p1",
    "vm": "vm-1",
    "vm_name": "网站",
    "rule": "r1",
    "rule_name": "nightly",
    "kind": "differential",
    "tracking": "if_enabled",
    "quiesce": True,
    "transports": ["san", "nfc_ssl"],
    "host": "esx1",
    "retry": 2,
    "lan_free": True,
}
RESTORE: Fields = {
    **OF_POINT,
    "platform": "p1",
    "name": "drill",
    "power_on": True,
    "rule": "r1",
    "transports": ["https"],
    "lan_free": True,
}
LATER = {"lan_free", "vapp_id", "directory", "present_disks", "is_isolated"}
"""Fields that were not written at first."""
SEEN: Fields = {"vm": "vm-1", "name": "web", "instance_uuid": "u"}
ORIGINAL: Fields = {"datastore": "ds", "host": "esx1", "confirmed": SEEN}
RECOVERY: Fields = {
    **OF_POINT,
    "platform": "p1",
    "recovery": "0123456789abcdef0123456789abcdef",
    "vm_name": "web",
    "rule": "r1",
    "rule_name": "nightly",
}
EXPORT: Fields = {**OF_POINT, "disks": [2000, 2001], "folder": "/exports", "image": "vmdk-stream"}

STORED: dict[str, Fields] = {
    "backup": {"version": 1, "task": "backup", **BACKUP},
    "restore as new": {
        "version": 1,
        "task": "restore",
        **RESTORE,
        "target": {"target": "new_vm", "placement": PLACEMENT},
    },
    "restore over": {
        "version": 1,
        "task": "restore",
        **RESTORE,
        "target": {"target": "original", **ORIGINAL},
    },
    "verify": {"version": 1, "task": "verify", **OF_POINT},
    "export": {"version": 1, "task": "export", **EXPORT},
    "garbage": {"version": 1, "task": "sweep", **AT_PLACE},
    "closing": {"version": 1, "task": "closing", **AT_STANDBY},
    "instant start": {
        "version": 1,
        "task": "instant_start",
        **RECOVERY,
        "placement": PLACEMENT,
        "power_on": False,
        "address": "10.0.0.2",
    },
    "instant stop": {"version": 1, "task": "instant_stop", **RECOVERY, "discard": True},
    "instant finish": {
        "version": 1,
        "task": "instant_finish",
        **RECOVERY,
        "way": "cold",
        "datastore": "ds",
        "disk_datastores": [[2000, "ds-2"]],
        "power_on": False,
    },
    "instant keep": {"version": 1, "task": "instant_keep", **RECOVERY},
    "migration": {
        "version": 1,
        "task": "migration",
        "standby": "",
        "priority": 3,
        "platform": "p1",
        "vm": "vm-1",
        "vm_name": "web",
        "migration": "fedcba9876543210fedcba9876543210",
        "work": "cut_over",
        "host": "esx1",
    },
    "proof": {
        "version": 1,
        "task": "proof",
        **OF_POINT,
        "platform": "p1",
        "host": "esx1",
        "address": "10.0.0.2",
        "limit_s": 600.0,
        "cpus": 2,
        "memory_mib": 2048,
        "rule": "r1",
        "at_once": 3,
        "is_automatic": True,
    },
}
"""Documents as they are in catalogs: they stay readable for ever, whatever becomes of classes and commands."""
BEFORE_RELEASE: dict[str, Fields] = {
    "backup": {"type": "StartBackup", **BACKUP},
    "restore as new": {
        "type": "StartRestore",
        **RESTORE,
        "target": {"type": "NewVm", "placement": PLACEMENT},
    },
    "restore over": {"type": "StartRestore", **RESTORE, "target": {"type": "OverOriginal", **ORIGINAL}},
    "verify": {"type": "StartVerify", **OF_POINT},
    "export": {"type": "StartExport", **EXPORT},
    "garbage": {"type": "StartSweep", **AT_PLACE},
    "closing": {"type": "StartClosing", **AT_STANDBY},
}
"""The commands of the time before the release, which were stored as they came."""
