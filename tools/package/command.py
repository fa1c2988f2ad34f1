"""``./dev package``: build an installer or a package, or prove one. Standard library only."""

from __future__ import annotations

from collections.abc import Callable

from tools.package.windows import windows
from tools.package.windowscheck import check_windows
from tools.saying import Refused

HELP = """\
./dev package windows          the installer of Windows, into dist
./dev package check windows    install, start, upgrade, repair and remove it in the Windows lab"""


def package(arguments: list[str]) -> int:
    """Build a package, or prove one; return the exit status.

    Raises:
        Refused: there is no such package, or it could not be built.
    """
    name, *rest = arguments or [""]
    known = CHECKS if name == "check" else BUILDERS
    if name == "check":
        name, *rest = rest or [""]
    if name not in known:
        raise Refused(f"package takes one of these:\n{HELP}")
    return known[name](rest)


BUILDERS: dict[str, Callable[[list[str]], int]] = {"windows": windows}
CHECKS: dict[str, Callable[[list[str]], int]] = {"windows": check_windows}
