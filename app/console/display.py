"""Returns whether a person looks at the program, without loading what a window needs."""

import os
import sys
from collections.abc import Mapping


def can_show(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a person looks: at a terminal, with a display, and not in a pipeline."""
    if environment.get("CI") or sys.stdout is None or not sys.stdout.isatty():
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
