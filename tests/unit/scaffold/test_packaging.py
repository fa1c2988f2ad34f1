"""What ``pyproject.toml`` promises about the package."""

import importlib
import tomllib
from pathlib import Path
from typing import Any

import app

PROJECT = Path(__file__).parents[3]


def project() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_command_that_is_installed_exists() -> None:
    scripts = project()["project"]["scripts"]
    assert scripts
    for target in scripts.values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_the_license_is_there_in_full() -> None:
    assert project()["project"]["license"] == "Apache-2.0"
    text = (PROJECT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_has_a_section_for_this_version() -> None:
    headings = [
        line for line in (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines() if line[:3] == "## "
    ]
    assert app.__version__ in headings[0]


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for path in (PROJECT / "app").rglob("*.py")}
    assert sorted(folder for folder in folders if not (folder / "__init__.py").is_file()) == []
