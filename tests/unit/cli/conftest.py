import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from app.cli.ctl.command import run_ctl
from app.cli.demo.stage import folders_in
from app.domain.restore_point import RestorePoint
from app.engine.door.server import DoorServer
from app.engine.engine import Engine
from tests.support.engine_lab import EngineLab

Run = Callable[..., tuple[int, str, str]]
"""Runs debugctl with words, and ``given`` as what is typed; returns its status, and both streams."""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EngineLab]:
    with EngineLab(tmp_path / "lab") as made:
        yield made


@pytest.fixture
def point(lab: EngineLab) -> RestorePoint:
    return lab.backup(lab.host.add_vm("web"))


@pytest.fixture
def run(tmp_path: Path, lab: EngineLab, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    with typed_at(lab.engine, tmp_path / "home", capsys) as run:
        yield run


@contextmanager
def typed_at(engine: Engine, home: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Open the door of an engine, and run debugctl at it."""
    folders = folders_in(home)
    folders.create()
    server = DoorServer.open(engine, folders.data)

    def call(*words: str, given: str = "") -> tuple[int, str, str]:
        with patch("sys.stdin", io.StringIO(given)):
            status = run_ctl(words, folders)
        told = capsys.readouterr()
        return status, told.out, told.err

    try:
        yield call
    finally:
        server.cut_off()
        server.close()
