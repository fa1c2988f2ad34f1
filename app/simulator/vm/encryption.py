"""Encrypted VMs: what their configuration says, and what their files hold for those who fetch them.

A host with the key reads and writes plain data, over NFC too; ``GET /folder`` gives the bytes of the file, which
are encrypted (protocols page *NFC*, section 4a.10).
"""

import hashlib

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pyVmomi import vim

from app.simulator.storage import DatastorePath
from app.simulator.storage.naming import DATA_SUFFIXES
from app.simulator.vm.config import with_devices
from app.simulator.vm.files import home_of
from app.simulator.vm.machine import Machine
from app.simulator.vm.values import Device, changed, disks_of, replaced
from app.simulator.world import World

_BLOCK_BYTES = 16
_SEALED = (*DATA_SUFFIXES, ".nvram", ".vmsn", ".vmem", ".vmss")
"""Endings of the files that are encrypted; a descriptor and a .vmx stay readable."""


def encrypted(config: vim.vm.ConfigInfo) -> vim.vm.ConfigInfo:
    """Return the configuration of a VM whose home and disks are encrypted."""
    provider = vim.encryption.KeyProviderId(id="lab-kms")
    key = vim.encryption.CryptoKeyId(keyId=f"key-of-{config.instanceUuid}", providerId=provider)
    devices: list[Device] = config.hardware.device
    for disk in disks_of(devices):
        devices = replaced(devices, changed(disk, backing=changed(disk.backing, keyId=key)))
    return changed(with_devices(config, devices), keyId=key)


class FileCipher:
    """The encryption of one file, byte by byte. Thread: any."""

    def __init__(self, key: str) -> None:
        self._key = hashlib.sha256(key.encode()).digest()

    def encrypt(self, offset: int, data: memoryview) -> None:
        """Encrypt the bytes at an offset of the file in place; doing it twice gives them back."""
        first, skipped = divmod(offset, _BLOCK_BYTES)
        cipher = Cipher(algorithms.AES(self._key), modes.CTR(first.to_bytes(_BLOCK_BYTES, "big"))).encryptor()
        stream = np.frombuffer(cipher.update(bytes(skipped + len(data))), dtype=np.uint8)[skipped:]
        np.bitwise_xor(np.frombuffer(data, dtype=np.uint8), stream, out=np.frombuffer(data, dtype=np.uint8))


class SealedFiles:
    """Knows which datastore files are encrypted. Thread: any."""

    def __init__(self, world: World) -> None:
        self._world = world

    def cipher_of(self, path: DatastorePath) -> FileCipher | None:
        """Return how a file is encrypted, None for one that is not."""
        if not path.name.endswith(_SEALED):
            return None
        with self._world.lock:
            machines: list[Machine] = [vm for vm in self._world.inventory.vms.values() if vm.has_files]
        for machine in machines:
            if machine.config.keyId is not None and _owns(machine, path):
                return FileCipher(f"{machine.config.keyId.keyId}/{path}")
        return None


def _owns(machine: Machine, path: DatastorePath) -> bool:
    home = home_of(machine.config)
    if (path.datastore, path.directory) == (home.datastore, home.directory):
        return True
    return any(path in disk.files for tree in machine.trees.values() for disk in tree.every_disk())
