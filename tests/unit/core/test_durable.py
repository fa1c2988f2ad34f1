"""Small durable files: at every instant a reader finds the old content or the new."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.durable import replace_durably

OLD, NEW = b"old content", b"new content, which is longer"

KILLED_AT_STEP = """
import os, sys
from pathlib import Path
from app.core.durable import replace_durably

path, step, new = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
calls = 0

def dying(name):
    real = getattr(os, name)
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == step:
            os._exit(77)
        return real(*args, **kwargs)
    setattr(os, name, call)

for name in ("open", "fdopen", "fsync", "replace", "close"):
    dying(name)
replace_durably(path, new)
os._exit(0)
"""


def run_killed_at(step: int, path: Path) -> int:
    command = [sys.executable, "-c", KILLED_AT_STEP, str(path), str(step), NEW.decode()]
    return subprocess.run(command, check=False, timeout=60).returncode


def test_a_process_killed_between_any_two_steps_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    seen = []
    for step in range(1, 20):
        path = tmp_path / f"step-{step}"
        path.write_bytes(OLD)
        status = run_killed_at(step, path)
        seen.append(path.read_bytes())
        if status == 0:
            break
    assert status == 0, "the writer has more steps than this test kills"
    assert set(seen) == {OLD, NEW}
    assert seen == sorted(seen, reverse=True), "once the new content is there it stays"


def test_the_content_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_durably(path, NEW)
    replace_durably(path, OLD)
    assert path.read_bytes() == OLD
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_are_the_owners_only_unless_asked(tmp_path: Path) -> None:
    replace_durably(tmp_path / "a", NEW)
    replace_durably(tmp_path / "b", NEW, mode=0o640)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o600, 0o640]


def test_a_failed_write_leaves_the_old_content_and_no_scratch(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.mkdir()
    with pytest.raises(OSError, match="file"):
        replace_durably(path, NEW)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
