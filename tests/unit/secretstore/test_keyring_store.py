"""The operating system's keyring: the ways in which it is not there, and a real one."""

import os
import subprocess
import sys
from pathlib import Path

import keyring.backends.fail
import keyring.backends.null
import pytest
from keyring.errors import KeyringLocked, PasswordDeleteError, PasswordSetError

from app.core.secrets import SecretStoreUnavailable
from app.secretstore.choice import open_secret_store
from app.secretstore.errors import PassphraseMissing
from app.secretstore.file_store import EncryptedFileSecretStore
from app.secretstore.keyring_store import KeyringSecretStore
from tests.support.keyrings import MemoryKeyring

ROOT = Path(__file__).parents[3]


class Failing(MemoryKeyring):
    """A keyring whose every answer is one error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.error


@pytest.mark.parametrize("backend", [keyring.backends.fail.Keyring(), keyring.backends.null.Keyring()])
def test_a_machine_without_keyring_shows_what_to_do(backend: keyring.backend.KeyringBackend) -> None:
    with pytest.raises(SecretStoreUnavailable) as caught:
        KeyringSecretStore(backend=backend).check()
    assert "no keyring" in caught.value.message
    assert "secret_store=file" in caught.value.hint


def test_a_keyring_that_keeps_plain_text_is_refused() -> None:
    plain = type("PlaintextKeyring", (MemoryKeyring,), {"__module__": "keyrings.alt.file"})()
    with pytest.raises(SecretStoreUnavailable, match="plain text"):
        KeyringSecretStore(backend=plain).set("a", "secret")
    assert plain.entries == {}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyringLocked("Failed to unlock the collection!"), "Failed to unlock the collection!"),
        (PasswordSetError(), "PasswordSetError"),
        (OSError("D-Bus is gone"), "the keyring failed (OSError)"),
        (RuntimeError("secret: hunter22"), "the keyring failed (RuntimeError)"),
    ],
)
def test_whatever_a_backend_raises_becomes_our_error_with_its_cause(error: Exception, words: str) -> None:
    with pytest.raises(SecretStoreUnavailable) as caught:
        KeyringSecretStore(backend=Failing(error)).set("a", "hunter22")
    assert words in f"{caught.value.message} {caught.value.details}"
    assert "hunter22" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_a_deletion_that_the_keyring_refuses_is_an_error() -> None:
    class Stubborn(MemoryKeyring):
        def delete_password(self, service: str, username: str) -> None:
            raise PasswordDeleteError("the operator said no")

    store = KeyringSecretStore(backend=Stubborn())
    store.set("a", "secret")
    with pytest.raises(SecretStoreUnavailable, match="the operator said no"):
        store.delete("a")


def test_each_secret_has_a_service_name_of_its_own() -> None:
    backend = MemoryKeyring()
    store = KeyringSecretStore(backend=backend)
    store.set("platform/1", "secret")
    store.set("platform/2", "another")
    assert backend.entries == {
        ("Standfast/platform/1", "platform/1"): "secret",
        ("Standfast/platform/2", "platform/2"): "another",
    }


def test_choosing_the_keyring_never_falls_back_to_a_file_in_silence(tmp_path: Path) -> None:
    with pytest.raises(SecretStoreUnavailable, match="no keyring"):
        open_secret_store("keyring", tmp_path, lambda: "correct horse")
    assert list(tmp_path.iterdir()) == []


def test_choosing_the_file_needs_its_passphrase_at_once(tmp_path: Path) -> None:
    with pytest.raises(PassphraseMissing):
        open_secret_store("file", tmp_path, lambda: None)
    assert isinstance(open_secret_store("file", tmp_path, lambda: "correct horse"), EncryptedFileSecretStore)


def test_another_choice_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="plain"):
        open_secret_store("plain", tmp_path, lambda: "correct horse")


SESSION = """
import subprocess, sys
from app.core.secrets import SecretStoreUnavailable
from app.secretstore.keyring_store import KeyringSecretStore

options = ["--unlock"] if sys.argv[1] == "unlocked" else []
daemon = subprocess.Popen(
    ["gnome-keyring-daemon", "--foreground", "--components=secrets", *options],
    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
)
daemon.stdin.write(b"login passphrase"); daemon.stdin.close()
try:
    store = KeyringSecretStore()
    store.set("platform/1", "p\\u00e4ssw\\u00f6rd-\\u5bc6\\u7801")
    assert KeyringSecretStore().get("platform/1") == "p\\u00e4ssw\\u00f6rd-\\u5bc6\\u7801"
    store.delete("platform/1"); store.delete("platform/1")
    assert store.get("platform/1") is None
    print("KEPT")
except SecretStoreUnavailable as error:
    print("REFUSED", error)
finally:
    daemon.terminate(); daemon.wait()
"""


def _in_desktop_session(home: Path, state: str) -> str:
    runtime = home / "run"
    runtime.mkdir(mode=0o700, parents=True)
    kept = ("PATH", "LANG", "PYTHONPATH", "VIRTUAL_ENV")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}
    command = ["dbus-run-session", "--", sys.executable, "-c", SESSION, state]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.outside_tools("dbus-run-session", "gnome-keyring-daemon")
def test_a_real_gnome_keyring_keeps_finds_and_forgets(tmp_path: Path) -> None:
    assert _in_desktop_session(tmp_path, "unlocked").startswith("KEPT")


@pytest.mark.outside_tools("dbus-run-session", "gnome-keyring-daemon")
def test_a_gnome_keyring_that_no_one_unlocks_is_a_clear_message(tmp_path: Path) -> None:
    answer = _in_desktop_session(tmp_path, "locked")
    assert answer.startswith("REFUSED Passwords cannot be kept")
    assert "secret_store=file" in answer
