"""Secrets of earlier versions, which lie under one service name: moved, and never lost; Windows' own keyring."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.secrets import SecretStoreUnavailable
from app.secretstore.keyring_store import KeyringSecretStore
from tests.support.keyrings import MemoryKeyring
from tests.support.winvault import CredentialError, windows_keyring

ROOT = Path(__file__).parents[3]

OLD = ("Standfast", "platform/1")
NEW = ("Standfast/platform/1", "platform/1")


class Killed(BaseException):
    """The process ended here."""


class MortalKeyring(MemoryKeyring):
    """A keyring whose user is killed before its n-th step."""

    def __init__(self, entries: dict[tuple[str, str], str], steps: int) -> None:
        super().__init__()
        self.entries = entries
        self.steps = steps

    def _step(self) -> None:
        if self.steps == 0:
            raise Killed
        self.steps -= 1

    def get_password(self, service: str, username: str) -> str | None:
        self._step()
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self._step()
        super().set_password(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        self._step()
        super().delete_password(service, username)


def killed_after(
    entries: dict[tuple[str, str], str], steps: int, use: Callable[[KeyringSecretStore], object]
) -> bool:
    """Use a keyring that survives so many steps; return whether its user was killed."""
    try:
        use(KeyringSecretStore(backend=MortalKeyring(entries, steps)))
    except Killed:
        return True
    return False


def test_an_entry_of_an_earlier_version_is_found_and_moved() -> None:
    backend = MemoryKeyring()
    backend.entries = {OLD: "secret"}
    assert KeyringSecretStore(backend=backend).get("platform/1") == "secret"
    assert backend.entries == {NEW: "secret"}


@pytest.mark.parametrize(
    ("use", "right"),
    [
        (lambda store: store.get("platform/1"), {"old"}),
        (lambda store: store.set("platform/1", "new"), {"old", "new"}),
        (lambda store: store.delete("platform/1"), {"old", None}),
    ],
    ids=["get", "set", "delete"],
)
def test_a_kill_between_any_two_steps_loses_nothing(
    use: Callable[[KeyringSecretStore], object], right: set[str | None]
) -> None:
    steps, seen = 0, []
    while True:
        entries = {OLD: "old"}
        killed = killed_after(entries, steps, use)
        after = MemoryKeyring()
        after.entries = dict(entries)
        seen.append(KeyringSecretStore(backend=after).get("platform/1"))
        assert OLD not in after.entries, f"left behind by a kill after {steps} steps"
        if not killed:
            break
        steps += 1
    assert steps >= 3
    assert set(seen) == right


def test_a_deleted_entry_does_not_come_back_from_where_an_earlier_version_kept_it() -> None:
    backend = MemoryKeyring()
    backend.entries = {OLD: "old", NEW: "old"}
    KeyringSecretStore(backend=backend).delete("platform/1")
    assert backend.entries == {}


def test_what_cannot_be_read_back_at_its_new_place_stays_at_its_old_one() -> None:
    class Forgetful(MemoryKeyring):
        def set_password(self, service: str, username: str, password: str) -> None:
            super().set_password(service, username, password[:-1])

    backend = Forgetful()
    backend.entries = {OLD: "secret"}
    with pytest.raises(SecretStoreUnavailable, match="does not return what was written"):
        KeyringSecretStore(backend=backend).get("platform/1")
    assert backend.entries[OLD] == "secret"


def test_a_keyring_that_does_not_keep_what_it_takes_is_found_by_the_check() -> None:
    class Sieve(MemoryKeyring):
        def set_password(self, service: str, username: str, password: str) -> None:
            pass

    with pytest.raises(SecretStoreUnavailable, match="does not return what was written"):
        KeyringSecretStore(backend=Sieve()).check()
    with pytest.raises(SecretStoreUnavailable, match="does not return what was written"):
        KeyringSecretStore(backend=Sieve()).set("a", "secret")


def test_the_check_leaves_nothing_behind() -> None:
    backend = MemoryKeyring()
    KeyringSecretStore(backend=backend).check()
    assert backend.entries == {}


@pytest.mark.parametrize("as_before", [False, True], ids=["new", "kept by an earlier version"])
def test_threads_lose_no_secret_in_the_keyring_of_windows(
    monkeypatch: pytest.MonkeyPatch, as_before: bool
) -> None:
    with windows_keyring(monkeypatch) as (backend, _manager):
        names = [f"platform/{number}" for number in range(30)]
        stores = [KeyringSecretStore(backend=backend) for _ in range(3)]
        if as_before:
            for name in names:
                backend.set_password("Standfast", name, f"secret of {name}")

        def work(number: int) -> None:
            for name in names[number::3]:
                if as_before:
                    assert stores[number].get(name) == f"secret of {name}"
                else:
                    stores[number].set(name, f"secret of {name}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = {name: stores[0].get(name) for name in names}
        assert found == {name: f"secret of {name}" for name in names}


def test_windows_own_words_are_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with windows_keyring(monkeypatch) as (backend, manager):
        words = "A specified logon session does not exist. It may already have been terminated."
        manager.refusal = CredentialError(1312, "CredRead", words)
        store = KeyringSecretStore(backend=backend)
        uses: list[Callable[[], object]] = [
            store.check,
            lambda: store.get("a"),
            lambda: store.set("a", "hunter22"),
        ]
        for use in uses:
            with pytest.raises(SecretStoreUnavailable) as caught:
                use()
            assert words.rstrip(".") in caught.value.details
            assert "1312" in caught.value.message


WORKER = """
import sys
from pathlib import Path
from app.secretstore.keyring_store import KeyringSecretStore
from tests.support.keyrings import MemoryKeyring

folder, number = Path(sys.argv[1]), sys.argv[2]

class Watched(MemoryKeyring):
    def set_password(self, service, username, password):
        mark = folder / "inside"
        mark.touch(exist_ok=False)  # raises when another process is inside
        super().set_password(service, username, password)
        mark.unlink()

store = KeyringSecretStore(backend=Watched(), lock_file=folder / "keyring")
for turn in range(50):
    store.set(f"name-{number}", str(turn))
"""


def test_processes_take_turns(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path), str(number)], cwd=ROOT)
        for number in range(3)
    ]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
