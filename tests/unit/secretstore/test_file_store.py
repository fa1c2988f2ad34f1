"""The encrypted password file: what it shows to whom, and what it survives."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app.core.passphrases import PASSPHRASE_VARIABLE, passphrase_from
from app.core.secrets import SecretStoreUnavailable
from app.secretstore.errors import (
    PassphraseMissing,
    PassphraseRefused,
    PassphraseTooShort,
    SecretFileDamaged,
    SecretFileTooNew,
)
from app.secretstore.file_format import Cost
from app.secretstore.file_store import EncryptedFileSecretStore

PASSPHRASE = "correct horse"
SECRET = "Tr0ub4dor&3-密码"
QUICK = Cost(n=1 << 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "secrets.json"


def opened(path: Path, passphrase: str | None = PASSPHRASE, cost: Cost = QUICK) -> EncryptedFileSecretStore:
    return EncryptedFileSecretStore(path, lambda: passphrase, cost=cost)


def edited(path: Path, **changes: object) -> None:
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, **changes}))


def test_neither_names_nor_values_are_legible_in_the_file(path: Path) -> None:
    opened(path).set("platform-vcsa", SECRET)
    raw = path.read_bytes()
    assert SECRET.encode() not in raw
    assert b"vcsa" not in raw
    assert PASSPHRASE.encode() not in raw


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_the_file_is_for_its_owner_only(path: Path) -> None:
    opened(path).set("a", SECRET)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_writing_leaves_no_temporary_file(path: Path) -> None:
    store = opened(path)
    store.set("a", SECRET)
    store.set("a", "another")
    assert sorted(path.name for path in path.parent.iterdir()) == ["secrets.json", "secrets.json.lock"]


def test_every_write_uses_a_new_nonce(path: Path) -> None:
    store = opened(path)
    nonces = set()
    for number in range(8):
        store.set("a", str(number))
        nonces.add(json.loads(path.read_bytes())["nonce"])
    assert len(nonces) == 8


def test_keeping_the_same_value_again_writes_nothing(path: Path) -> None:
    store = opened(path)
    store.set("a", SECRET)
    before = path.read_bytes()
    store.set("a", SECRET)
    store.delete("b")
    assert path.read_bytes() == before


def test_the_default_cost_is_worth_its_name(path: Path) -> None:
    opened(path, cost=Cost()).set("a", SECRET)
    document = json.loads(path.read_bytes())
    assert document["n"] * document["r"] * 128 >= 64 << 20
    assert opened(path).get("a") == SECRET


# --- passphrases ---------------------------------------------------------------------------------------------


def test_a_wrong_passphrase_is_distinguished_from_damage(path: Path) -> None:
    opened(path).set("a", SECRET)
    with pytest.raises(PassphraseRefused):
        opened(path, "wrong horse").get("a")


def test_a_passphrase_typed_with_combining_marks_is_the_same(path: Path) -> None:
    opened(path, "pässwörd").set("a", SECRET)
    assert opened(path, "pa\u0308sswo\u0308rd").get("a") == SECRET


def test_a_short_passphrase_makes_no_file(path: Path) -> None:
    with pytest.raises(PassphraseTooShort, match="at least 8"):
        opened(path, "seven77").set("a", SECRET)
    assert not path.exists()


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_passphrase_names_the_variable_to_set(path: Path, nothing: str | None) -> None:
    with pytest.raises(PassphraseMissing) as caught:
        opened(path, nothing).set("a", SECRET)
    assert PASSPHRASE_VARIABLE in caught.value.hint


def test_checking_finds_a_missing_passphrase_before_it_is_needed(path: Path) -> None:
    with pytest.raises(PassphraseMissing):
        opened(path, None).check()
    opened(path).check()
    assert not path.exists()


def test_the_passphrase_is_asked_for_once(path: Path) -> None:
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        return PASSPHRASE

    opened(path).set("a", SECRET)
    store = EncryptedFileSecretStore(path, ask, cost=QUICK)
    assert [store.get("a") for _ in range(3)] == [SECRET] * 3
    store.set("b", "more")
    assert len(asked) == 1


def test_the_environment_goes_before_asking() -> None:
    assert passphrase_from({PASSPHRASE_VARIABLE: "from env"}, lambda: "asked")() == "from env"
    assert passphrase_from({}, lambda: "asked")() == "asked"
    assert passphrase_from({})() is None


def test_changing_the_passphrase_shuts_out_the_old_one(path: Path) -> None:
    store = opened(path)
    store.set("a", SECRET)
    store.change_passphrase("battery staple")
    store.set("b", "more")
    assert opened(path, "battery staple").get("a") == SECRET
    with pytest.raises(PassphraseRefused):
        opened(path).get("a")


def test_a_new_passphrase_that_is_too_short_changes_nothing(path: Path) -> None:
    store = opened(path)
    store.set("a", SECRET)
    with pytest.raises(PassphraseTooShort):
        store.change_passphrase("short")
    assert opened(path).get("a") == SECRET


# --- damage ----------------------------------------------------------------------------------------------------


def test_a_change_of_any_byte_is_noticed_or_harmless(path: Path) -> None:
    opened(path).set("a", SECRET)
    raw = path.read_bytes()
    for position in range(len(raw)):
        path.write_bytes(raw[:position] + bytes([raw[position] ^ 0x01]) + raw[position + 1 :])
        try:
            value = opened(path).get("a")
        except SecretStoreUnavailable:
            continue
        assert value == SECRET, f"byte {position}"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[]", b"null", b"not json", b"\xff\xfe", b'{"format": 1}', b'{"format": "1"}', b"[" * 100_000],
)
def test_what_is_no_password_file_is_called_damaged(path: Path, raw: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(raw)
    with pytest.raises(SecretFileDamaged) as caught:
        opened(path).get("a")
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 3},
        {"n": 1 << 40},
        {"n": -2},
        {"r": 0},
        {"p": 10_000},
        {"n": "16"},
        {"n": True},
        {"kdf": "md5"},
        {"salt": 1},
    ],
)
def test_parameters_that_would_harm_us_are_refused_before_they_are_used(
    path: Path, changes: dict[str, object]
) -> None:
    opened(path).set("a", SECRET)
    edited(path, **changes)
    with pytest.raises(SecretFileDamaged):
        opened(path).get("a")


def test_weakening_the_cost_of_a_file_is_noticed(path: Path) -> None:
    opened(path, cost=Cost(n=1 << 6)).set("a", SECRET)
    edited(path, n=2)
    with pytest.raises(PassphraseRefused):
        opened(path).get("a")


def test_a_file_of_a_later_version_is_left_alone(path: Path) -> None:
    opened(path).set("a", SECRET)
    edited(path, format=2)
    before = path.read_bytes()
    with pytest.raises(SecretFileTooNew, match="format 2"):
        opened(path).set("a", "other")
    assert path.read_bytes() == before


def test_a_damaged_file_is_never_written_over(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"precious?")
    with pytest.raises(SecretFileDamaged):
        opened(path).set("a", SECRET)
    assert path.read_bytes() == b"precious?"


def test_a_folder_in_its_place_is_a_clear_message(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(SecretStoreUnavailable, match="cannot be kept"):
        opened(path).get("a")


def test_no_error_shows_a_secret_or_the_passphrase(path: Path) -> None:
    opened(path).set("a", SECRET)
    with pytest.raises(PassphraseRefused) as caught:
        opened(path, "wrong horse").set("b", "another secret")
    shown = f"{caught.value!r} {caught.value} {caught.value.params} {caught.value.__cause__!r}"
    assert not any(text in shown for text in (SECRET, PASSPHRASE, "wrong horse", "another secret"))


# --- several processes -------------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from app.secretstore.file_format import Cost
from app.secretstore.file_store import EncryptedFileSecretStore
store = EncryptedFileSecretStore(Path(sys.argv[1]), lambda: sys.argv[3], cost=Cost(n=16))
for number in range(10):
    store.set(f"{sys.argv[2]}-{number}", str(number))
"""


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    opened(path).set("first", SECRET)
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, name, PASSPHRASE]) for name in ("a", "b", "c")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    store = opened(path)
    assert store.get("first") == SECRET
    assert [store.get(f"{name}-{number}") for name in "abc" for number in range(10)] == [
        str(n) for n in range(10)
    ] * 3


def test_a_store_sees_what_another_process_wrote(path: Path) -> None:
    mine, other = opened(path), opened(path)
    mine.set("a", "1")
    other.set("b", "2")
    mine.set("c", "3")
    other.change_passphrase(PASSPHRASE)
    assert [mine.get(name) for name in "abc"] == ["1", "2", "3"]


def test_a_second_writer_waits_for_the_first(path: Path) -> None:
    from app.secretstore.file_lock import locked

    done = threading.Event()

    def write() -> None:
        opened(path).set("a", SECRET)
        done.set()

    with locked(path):
        writer = threading.Thread(target=write)
        writer.start()
        assert not done.wait(0.2)
    writer.join(timeout=30)
    assert done.is_set()
