"""Locales whose encoding is not UTF-8, made where the system has none."""

import subprocess
from pathlib import Path

import pytest

LOCALES = {"zh_CN.GBK": ("zh_CN", "GBK"), "en_US.ISO-8859-1": ("en_US", "ISO-8859-1")}


def make_locales(folder: Path) -> dict[str, str]:
    """Make the locales in a folder; return what the environment needs so that they are found."""
    for name, (territory, charmap) in LOCALES.items():
        done = subprocess.run(
            ["localedef", "-i", territory, "-f", charmap, str(folder / name)], capture_output=True, check=False
        )
        if not (folder / name).is_dir():
            pytest.skip(f"localedef cannot make {name}: {done.stderr.decode(errors='replace')[-200:]}")
    return {"LOCPATH": str(folder)}
