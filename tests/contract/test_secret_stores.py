"""What every place for passwords does, whichever the operator chose."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.secrets import SecretStore
from app.secretstore.file_format import Cost
from app.secretstore.file_store import EncryptedFileSecretStore
from app.secretstore.keyring_store import KeyringSecretStore
from tests.support.keyrings import MemoryKeyring

OpenAgain = Callable[[], SecretStore]

QUICK = Cost(n=1 << 4)


@pytest.fixture(params=["keyring", "file"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> OpenAgain:
    """Return a function that opens the same place again, as another start of the program would."""
    if request.param == "keyring":
        backend = MemoryKeyring()
        return lambda: KeyringSecretStore(backend=backend)
    return lambda: EncryptedFileSecretStore(tmp_path / "secrets.json", lambda: "correct horse", cost=QUICK)


@pytest.fixture
def store(open_again: OpenAgain) -> SecretStore:
    return open_again()


@pytest.mark.parametrize(
    "value", ["plain", "pässwörd-密码 🔑", " blanks around ", "line\nend\x00nul", "x" * 4_000, ""]
)
def test_what_is_kept_is_found_by_the_next_start(open_again: OpenAgain, value: str) -> None:
    open_again().set("platform/虚拟平台-1", value)
    assert open_again().get("platform/虚拟平台-1") == value


def test_what_was_never_kept_is_none(store: SecretStore) -> None:
    assert store.get("nobody") is None


def test_a_new_value_takes_the_place_of_the_old(store: SecretStore, open_again: OpenAgain) -> None:
    store.set("a", "old")
    store.set("a", "new")
    assert store.get("a") == open_again().get("a") == "new"


def test_names_do_not_touch_each_other(store: SecretStore) -> None:
    store.set("a", "1")
    store.set("A", "2")
    store.set("a/b", "3")
    store.delete("a")
    assert [store.get(name) for name in ("a", "A", "a/b")] == [None, "2", "3"]


def test_what_is_deleted_is_gone_for_the_next_start(store: SecretStore, open_again: OpenAgain) -> None:
    store.set("a", "secret")
    store.delete("a")
    assert open_again().get("a") is None


def test_deleting_what_is_not_there_is_fine(store: SecretStore) -> None:
    store.delete("nobody")
    store.delete("nobody")


def test_threads_may_share_a_store(store: SecretStore) -> None:
    def work(number: int) -> None:
        for turn in range(5):
            store.set(f"name-{number}", f"value-{number}-{turn}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.get(f"name-{number}") for number in range(4)] == [f"value-{number}-4" for number in range(4)]


def test_no_representation_shows_a_secret(store: SecretStore) -> None:
    store.set("a", "Tr0ub4dor&3")
    assert "Tr0ub4dor&3" not in f"{store!r} {store} {vars(store)}"
