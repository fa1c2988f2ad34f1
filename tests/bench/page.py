"""Writes measured figures into ``docs/performance.md``, where each benchmark owns one section."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"

_HEAD = """# Measured performance

Each section is written by its benchmark (`./dev bench NAME`); do not edit by hand.
"""


def write_section(name: str, heading: str, body: str) -> None:
    """Put a section in the place of the one that this benchmark wrote before, or at the end."""
    begin, end = f"<!-- bench {name}: begin -->", f"<!-- bench {name}: end -->"
    section = f"{begin}\n## {heading}\n\n{body.strip()}\n{end}\n"
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else _HEAD
    old = re.compile(re.escape(begin) + r".*?" + re.escape(end) + r"\n?", re.DOTALL)
    text = old.sub(lambda _: section, text) if old.search(text) else f"{text.rstrip()}\n\n{section}"
    PAGE.write_text(text, encoding="utf-8")


def circumstances(command: str) -> str:
    """Return a line that says when, where and how it was measured."""
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    return (
        f"Measured on {day}: {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; `{command}`{_load()}."
    )


def _load() -> str:
    """Tell how busy the machine was with this and everything else."""
    return f"; load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


def _processor() -> str:
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", facts, re.MULTILINE)
    return found[1].strip() if found else platform.machine()
