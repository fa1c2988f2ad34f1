"""Names and paths that are no text: left out of lists, refused where they are given, never a bug."""

import os
from pathlib import Path

import msgspec
import pytest

from app.contract.standbys import BrowseLocal, BrowseStandby, RegisterStandby
from app.domain.errors import OperationalError
from tests.support.engine_lab import EngineLab, filled_vm

pytestmark = pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")

FOLDERS = (b"", b"points", b"packs", b"staging", b"trash", b"locks", b"keys", b"damaged")


def litter(root: Path) -> None:
    """Leave directories and files whose names are GBK everywhere on a standby machine."""
    for folder in FOLDERS:
        strange = os.path.join(os.fsencode(root), folder, "每日".encode("gbk"))  # noqa: PTH118 - bytes
        os.makedirs(strange)  # noqa: PTH103 - same
        with open(os.path.join(strange, b"\xff"), "wb"):  # noqa: PTH118, PTH123 - same
            pass


def test_names_of_another_encoding_disturb_nobody(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        vm = filled_vm(lab)
        lab.backup(vm)
        litter(tmp_path / "standby")
        lab.backup(vm)
        assert len(lab.points()) == 2
        for rows in (
            lab.engine.ask(BrowseStandby(standby=lab.standby, path="")),
            lab.engine.ask(BrowseLocal(path=str(tmp_path / "standby"))),
        ):
            assert msgspec.json.encode(rows), "they pass through the door"
            assert "points" in [row.name for row in rows]


@pytest.mark.parametrize("path", ["/tmp/\udcff", "/tmp/a\0b"])
def test_a_path_that_is_no_text_is_refused(tmp_path: Path, path: str) -> None:
    with EngineLab(tmp_path) as lab:
        with pytest.raises(OperationalError, match="not UTF-8 text"):
            lab.engine.execute(RegisterStandby(name="odd", root_path=path))
        with pytest.raises(OperationalError, match="not UTF-8 text") as caught:
            lab.engine.ask(BrowseLocal(path=path))
        assert caught.value.message.encode()
