"""A process whose file names are not UTF-8 opens no repository, and a name that cannot be written is no bug."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.clock import SystemClock
from app.domain.errors import StandbyUnavailable
from app.repository import Repository
from app.repository.files import storage_errors
from tests.support.locales import LOCALES, make_locales

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
from pathlib import Path
from app.core.clock import SystemClock
from app.repository import Repository
from app.repository.errors import FileNamesNotUtf8

root, clock = Path(sys.argv[1]), SystemClock()
for attempt in (Repository.create, Repository.open_or_create, Repository.open):
    target = root / "old" if attempt == Repository.open else root / "new"
    try:
        attempt(target, local_dir=root / "local", clock=clock)
    except FileNamesNotUtf8 as error:
        assert "PYTHONUTF8=1" in error.hint
        print("refused")
assert not (root / "new").exists()
"""


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there, whatever the locale")
@pytest.mark.outside_tools("localedef")
@pytest.mark.parametrize("locale", LOCALES)
def test_a_process_that_would_write_other_names_is_refused(tmp_path: Path, locale: str) -> None:
    Repository.create(tmp_path / "old", local_dir=tmp_path / "local", clock=SystemClock()).close()
    (tmp_path / "locales").mkdir()
    environment = {**os.environ, **make_locales(tmp_path / "locales"), "LC_ALL": locale, "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "refused\n" * 3, done.stderr


def test_a_name_that_cannot_be_written_is_the_standbys_problem(tmp_path: Path) -> None:
    with pytest.raises(StandbyUnavailable, match="a file name cannot be written"), storage_errors(tmp_path):
        "每日".encode("latin-1")
