"""The Windows keyring of the library *keyring* itself, over a Credential Manager in memory.

The library's code moves entries about in several steps; the memory behind it takes a moment for each, as the real
one does, so that threads get in each other's way.
"""

import importlib
import sys
import threading
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from keyring.backend import KeyringBackend

_NOT_FOUND = 1168
_STEP_S = 0.0005


class CredentialError(Exception):
    """What pywin32-ctypes raises."""

    def __init__(self, winerror: int, funcname: str, strerror: str) -> None:
        super().__init__(winerror, funcname, strerror)
        self.winerror, self.funcname, self.strerror = winerror, funcname, strerror


class CredentialManager:
    """CredRead, CredWrite and CredDelete of Windows, whose entries are known by their target name only."""

    CRED_TYPE_GENERIC = 1
    CRED_PERSIST_ENTERPRISE = 3

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self.refusal: CredentialError | None = None
        self._lock = threading.Lock()

    def CredRead(self, Type: int, TargetName: str) -> dict[str, Any]:
        """Return an entry."""
        self._step()
        with self._lock:
            if TargetName not in self.entries:
                raise CredentialError(_NOT_FOUND, "CredRead", "Element not found.")
            return dict(self.entries[TargetName])

    def CredWrite(self, credential: dict[str, Any], _flags: int) -> None:
        """Keep an entry in the place of one with the same target name."""
        self._step()
        with self._lock:
            blob = credential["CredentialBlob"].encode("utf-16-le")
            self.entries[credential["TargetName"]] = {**credential, "CredentialBlob": blob}

    def CredDelete(self, Type: int, TargetName: str) -> None:
        """Forget an entry."""
        self._step()
        with self._lock:
            if self.entries.pop(TargetName, None) is None:
                raise CredentialError(_NOT_FOUND, "CredDelete", "Element not found.")

    def _step(self) -> None:
        time.sleep(_STEP_S)
        if self.refusal is not None:
            raise self.refusal


@contextmanager
def windows_keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[KeyringBackend, CredentialManager]]:
    """Give the library's Windows backend and the memory behind it."""
    backend = importlib.import_module("keyring.backends.Windows")

    manager = CredentialManager()
    words = types.ModuleType("pywintypes")
    words.error = CredentialError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pywintypes", words)
    monkeypatch.setattr(backend, "win32cred", manager, raising=False)
    monkeypatch.setattr(backend, "pywintypes", words, raising=False)
    kind = type("WinVaultKeyring", (backend.WinVaultKeyring,), {"priority": 5.0})
    yield kind(), manager
