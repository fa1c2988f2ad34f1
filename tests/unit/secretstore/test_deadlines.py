"""A keyring or a file whose owner does not answer: everything has a deadline, and one thread is lost at most."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.secrets import SecretStoreLocked, SecretStoreUnavailable
from app.secretstore.file_format import Cost
from app.secretstore.file_lock import locked
from app.secretstore.file_store import EncryptedFileSecretStore
from app.secretstore.keyring_store import KeyringSecretStore
from tests.support.keyrings import MemoryKeyring
from tests.support.waiting import wait_for_threads


class Prompting(MemoryKeyring):
    """A locked keyring: it asks, and returns once someone has answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.answered.wait()
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self.answered.wait()
        super().set_password(service, username, password)


@pytest.fixture
def prompting() -> Iterator[Prompting]:
    backend = Prompting()
    yield backend
    backend.answered.set()
    wait_for_threads("keyring-")


def keyring_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("keyring-")]


def test_a_locked_keyring_is_an_error_with_a_remedy_after_the_limit(prompting: Prompting) -> None:
    store = KeyringSecretStore(backend=prompting, limit_s=0.2, check_limit_s=0.3)
    began = time.monotonic()
    with pytest.raises(SecretStoreLocked) as caught:
        store.check()
    assert time.monotonic() - began < 5
    assert "locked" in caught.value.message
    assert "Unlock the keyring" in caught.value.hint
    uses: list[Callable[[], object]] = [
        lambda: store.get("a"),
        lambda: store.set("a", "b"),
        lambda: store.delete("a"),
    ]
    for use in uses:
        with pytest.raises(SecretStoreLocked):
            use()


def test_a_keyring_that_never_answers_costs_one_thread(prompting: Prompting) -> None:
    store = KeyringSecretStore(backend=prompting, limit_s=0.05)
    for _ in range(30):
        with pytest.raises(SecretStoreLocked):
            store.get("a")
    assert len(keyring_threads()) == 1


def test_once_the_prompt_is_answered_everything_goes_on(prompting: Prompting) -> None:
    store = KeyringSecretStore(backend=prompting, limit_s=5.0)
    impatient = KeyringSecretStore(backend=prompting, limit_s=0.05)
    with pytest.raises(SecretStoreLocked):
        impatient.get("a")
    prompting.answered.set()
    wait_for_threads("keyring-")
    impatient.set("a", "secret")
    assert store.get("a") == "secret"


def test_what_was_reported_as_failed_is_not_done_later(prompting: Prompting) -> None:
    store = KeyringSecretStore(backend=prompting, limit_s=0.05)
    with pytest.raises(SecretStoreLocked):
        store.set("a", "secret")
    prompting.answered.set()
    wait_for_threads("keyring-")
    assert prompting.entries == {}


def test_the_lock_of_the_password_file_is_waited_for_within_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    store = EncryptedFileSecretStore(path, lambda: "correct horse", cost=Cost(n=1 << 4), patience_s=0.2)
    with locked(path), pytest.raises(SecretStoreUnavailable, match="another program has been holding its lock"):
        store.set("a", "secret")
    store.set("a", "secret")
    assert store.get("a") == "secret"


def test_a_thread_that_waits_for_the_passphrase_holds_no_other_up_for_ever(tmp_path: Path) -> None:
    asked, answered = threading.Event(), threading.Event()

    def ask() -> str:
        asked.set()
        answered.wait()
        return "correct horse"

    store = EncryptedFileSecretStore(tmp_path / "secrets.json", ask, cost=Cost(n=1 << 4), patience_s=0.2)
    first = threading.Thread(target=store.set, args=("a", "secret"))
    first.start()
    asked.wait()
    with pytest.raises(SecretStoreUnavailable, match="another thread"):
        store.get("a")
    answered.set()
    first.join()
    assert store.get("a") == "secret"
