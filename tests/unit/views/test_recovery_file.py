"""The file of a recovery key: whole, its user's alone, and never at the cost of another file."""

import os
import secrets
from pathlib import Path

import pytest

from app.views.standbys.recovery_file import RecoveryKeyNotWritten, write_recovery_key


@pytest.mark.parametrize(
    "name", [f".key.txt.{os.getpid()}.tmp", ".key.txt.tmp"], ids=["with the process id", "without"]
)
def test_a_file_of_others_with_a_like_name_stays(tmp_path: Path, name: str) -> None:
    other = tmp_path / name
    other.write_bytes(b"of another user")
    write_recovery_key(tmp_path / "key.txt", b"the key")
    assert (tmp_path / "key.txt").read_bytes() == b"the key"
    assert other.read_bytes() == b"of another user"


def test_a_taken_name_is_refused_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0" * 2 * size)
    other = tmp_path / f".key.txt.{'0' * 16}.tmp"
    other.write_bytes(b"of another user")
    with pytest.raises(RecoveryKeyNotWritten):
        write_recovery_key(tmp_path / "key.txt", b"the key")
    assert list(tmp_path.iterdir()) == [other]
    assert other.read_bytes() == b"of another user"
