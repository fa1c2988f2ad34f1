"""``./dev windows``: make the lab, and run something in it. Standard library only."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from tools import debian
from tools.environment import DEV_LOCK, require_environment
from tools.saying import Refused, say
from tools.windows import runs, steps

HELP = """\
./dev windows                    make the lab, or renew what is out of date of it
./dev windows test [ARGS...]     run tests; ARGS go to pytest
./dev windows demo [ARGS...]     run the demo
./dev windows window [FILE]      show the console on the demo's data, and take a picture of the screen
./dev windows python [ARGS...]   run CPython for Windows in the checkout"""

_WINE_PYTHON = ("wine", runs.PYTHON)
_DEMO_WITH_WINDOW = """\
from app.cli.demo.command import run_demo
from app.cli.demo.show import show_console
from app.core.utf8 import use_utf8_streams

use_utf8_streams()
raise SystemExit(run_demo(keep=False, show=show_console))
"""
_PICTURE = steps.LAB / "window.png"
# A window is drawn when two pictures, three seconds apart, are the same; charts and lists arrive one by one.
_TAKE_PICTURE = f"""\
"$@" &
until xwininfo -root -tree | grep -qE '(Standfast|磐备)": \\("python'; do
    kill -0 $! 2>/dev/null || exit 1
    sleep 1
done
for try in $(seq 10); do
    sleep 3
    import -window root {runs.inside(_PICTURE)}
    now=$(identify -format '%#' {runs.inside(_PICTURE)})
    [ "$now" = "$before" ] && break
    before=$now
done
"""


def windows(arguments: list[str]) -> int:
    """Make the lab, and run one command in it; return its exit status.

    Raises:
        Refused: this machine cannot have a lab, or there is no such command.
    """
    name, *rest = arguments or [""]
    if name not in COMMANDS:
        raise Refused(f"windows takes one of these:\n{HELP}")
    if not debian.is_root() or not debian.has_tools():
        raise Refused("the Windows lab is a chroot that debootstrap makes: it needs Debian, and root")
    require_environment(DEV_LOCK)
    steps.require_lab()
    return COMMANDS[name](rest)


def _only_make(_: list[str]) -> int:
    say(f"the lab in {steps.LAB} is up to date")
    print(HELP)
    return 0


def _test(arguments: list[str]) -> int:
    # The folder of pytest's cache is that of the checkout: what failed here need not be what failed there.
    return _python(["-m", "pytest", "-p", "no:cacheprovider", *arguments])


def _demo(arguments: list[str]) -> int:
    return _python(["main.py", "demo", *arguments])


def _window(arguments: list[str]) -> int:
    if len(arguments) > 1:
        raise Refused("windows window takes the name of one file, or nothing")
    _PICTURE.unlink(missing_ok=True)
    screen = ("xvfb-run", "--auto-servernum", "--server-args", "-screen 0 1440x900x24")
    show = (*_WINE_PYTHON, "-c", _DEMO_WITH_WINDOW)
    status = runs.in_windows(steps.LAB, [*screen, "sh", "-c", _TAKE_PICTURE, "sh", *show])
    if status or not _PICTURE.exists():
        raise Refused("there was no window to take a picture of")
    file = shutil.move(_PICTURE, arguments[0]) if arguments else _PICTURE
    say(f"the picture is {file}")
    return 0


def _python(arguments: list[str]) -> int:
    return runs.in_windows(steps.LAB, [*_WINE_PYTHON, *arguments])


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "": _only_make,
    "test": _test,
    "demo": _demo,
    "window": _window,
    "python": _python,
}
