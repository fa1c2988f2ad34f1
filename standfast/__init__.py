"""The installed program: one package, so that no other name of ours is at the top of ``site-packages``.

The wheel carries ``app/``, ``main.py``, ``resources/`` and ``etc/`` inside this folder; a checkout has them next
to it. Their names stay as they are: the folder that holds them is put in front of the path before the program is
loaded.
"""

import sys
from pathlib import Path
from typing import NoReturn

_PACKAGE = Path(__file__).resolve().parent
HOME = _PACKAGE if (_PACKAGE / "main.py").is_file() else _PACKAGE.parent
"""The folder with the program's code and data, in the wheel and in a checkout."""


def main() -> NoReturn:
    """Run ``standfast`` with the command line of this process, and end the process."""
    _find_program()
    from app.core.processend import end_process
    from main import main as run

    end_process(run())


def debugctl() -> NoReturn:
    """Run ``debugctl`` with the command line of this process, and end the process."""
    _find_program()
    from app.core.processend import end_process
    from main import debugctl as run

    end_process(run())


def _find_program() -> None:
    """Put the folder of the program in front of the path: no other ``app`` or ``main`` may be taken for ours."""
    sys.path.insert(0, str(HOME))
