"""The engine as the service of Windows starts it: wanted while its standard input is open."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.passphrases import PASSPHRASE_VARIABLE
from app.paths import HOME_VARIABLE

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


def start(home: Path, **environment: str) -> "subprocess.Popen[str]":
    """Start the engine of a home as the service does."""
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config" / "system.conf").write_text("secret_store=file\n", encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "main.py", "--headless", "--for-service"],
        cwd=ROOT,
        env={**os.environ, HOME_VARIABLE: str(home), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_it_says_that_it_is_ready_and_ends_in_order_with_its_standard_input(tmp_path: Path) -> None:
    with start(tmp_path, **{PASSPHRASE_VARIABLE: "a passphrase of a service"}) as engine:
        assert engine.stdout is not None
        # packaging/windows/service.c looks for these words, without a space between them
        assert '"engine":"ready"' in engine.stdout.readline()
        out, _ = engine.communicate(timeout=PATIENCE_S)
    assert (engine.returncode, out) == (0, "")
    assert (tmp_path / "data").is_dir()


@pytest.mark.parametrize("folder", ["data", "local"])
def test_what_keeps_it_from_starting_is_its_status_and_its_answer(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).write_bytes(b"a file where a folder has to be")
    with start(tmp_path, **{PASSPHRASE_VARIABLE: "a passphrase of a service"}) as engine:
        out, _ = engine.communicate(timeout=PATIENCE_S)
    assert engine.returncode == 1
    assert json.loads(out)["error"]["code"] == "paths.folder_unusable"
