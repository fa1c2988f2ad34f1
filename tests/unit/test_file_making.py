"""Files and folders are made in ``app/core/privatefiles.py`` and ``durable.py`` only, so that they are private.

The mode of others would depend on the umask. Here the source is judged; what a run really leaves is looked at in
``tests/e2e/test_private_files.py``.
"""

from pathlib import Path

import pytest

from tests.support.file_makers import makings_in

APP = Path(__file__).parents[2] / "app"

MAKERS = {"core/privatefiles.py", "core/durable.py"}

EXCEPTIONS = {
    (
        "catalog/database.py",
        "sqlalchemy.create_engine",
    ): "SQLite opens a file that was made before",
    ("catalog/safety.py", "sqlite3.connect"): "opens read-only, or a file that was made before",
    (
        "cli/demo/command.py",
        "tempfile.mkdtemp",
    ): "makes its folder for its owner alone",
    ("engine/door/listening.py", "tempfile.mkdtemp"): "likewise",
    ("nbd/folders.py", "tempfile.mkdtemp"): "likewise",
    ("repository/sortedrows.py", "tempfile.TemporaryDirectory"): "likewise",
    ("paths.py", "tempfile.TemporaryFile"): "a file for its owner alone that is gone at once",
    ("logs.py", "logging.handlers.RotatingFileHandler"): "its files are opened by a method of ours",
    ("repository/environment.py", "lmdb.open"): "is told the mode of its files",
    ("repository/files.py", "os.open"): "opens what exists: its callers give flags to read or to write",
    ("views/frame/memory.py", "PySide6.QtCore.QSettings"): "keeps the mode of the file that was made before",
}
"""By file and call, each with the reason why it makes nothing that others can use."""


def test_only_the_makers_make_files_and_folders() -> None:
    found = [
        making
        for making in makings_in(APP)
        if making.file not in MAKERS and (making.file, making.call) not in EXCEPTIONS
    ]
    assert not found, "use app/core/privatefiles.py or durable.py:\n" + "\n".join(map(str, found))


def test_no_exception_is_left_over() -> None:
    found = {(making.file, making.call) for making in makings_in(APP)}
    assert set(EXCEPTIONS) - found == set()


MAKING = [
    "open('x', 'w')",
    "open('x', mode='ab')",
    "open('x', mode)",
    "import io\nio.open('x', 'x')",
    "path.open('w+')",
    "path.open(mode='a')",
    "path.open(mode=mode)",
    "path.write_text('x')",
    "path.write_bytes(b'x')",
    "(folder / 'x').touch()",
    "path.mkdir(parents=True)",
    "from pathlib import Path\nPath('x').mkdir()",
    "import os\nos.mkdir('x')",
    "import os\nos.makedirs('x')",
    "from os import makedirs as make\nmake('x')",
    "import os\nos.open('x', os.O_RDWR | os.O_CREAT)",
    "import os\nF = os.O_CREAT\nG = F | os.O_RDWR\nos.open('x', G)",
    "import os\nos.open('x', getattr(os, 'O_CREAT'))",
    "import os\nos.open('x', flags)",
    "import tempfile\ntempfile.mkstemp()",
    "from tempfile import NamedTemporaryFile\nNamedTemporaryFile()",
    "import shutil\nshutil.copyfile('x', 'y')",
    "import sqlite3\nsqlite3.connect('x')",
    "import lmdb\nlmdb.open('x')",
    "import logging.handlers\nlogging.handlers.RotatingFileHandler('x')",
    "from logging import FileHandler\nclass Mine(FileHandler): pass",
    "from PySide6.QtCore import QSettings\nQSettings('x')",
    "def late():\n    import zipfile\n    zipfile.ZipFile('x', 'w')",
]
MAKING_NOTHING = [
    "open('x')",
    "open('x', 'rb')",
    "open('x', mode='r+b')",
    "path.open('rb')",
    "page.open('rules')",
    "dialog.open()",
    "path.read_text()",
    "task.touch('info')",
    "import os\nos.open('x', os.O_RDONLY | getattr(os, 'O_BINARY', 0))",
    "import os\nFLAGS = os.O_RDONLY\nos.open('x', FLAGS)",
    "import tempfile\ntempfile.gettempdir()",
    "import shutil\nshutil.rmtree('x')",
    "from app.repository import Repository\nRepository.open('w')",
]


@pytest.mark.parametrize("source", MAKING)
def test_what_makes_a_file_or_folder_is_found(tmp_path: Path, source: str) -> None:
    (tmp_path / "x.py").write_text(source, encoding="utf-8")
    assert len(makings_in(tmp_path)) == 1


@pytest.mark.parametrize("source", MAKING_NOTHING)
def test_what_makes_nothing_is_let_through(tmp_path: Path, source: str) -> None:
    (tmp_path / "x.py").write_text(source, encoding="utf-8")
    assert makings_in(tmp_path) == []
