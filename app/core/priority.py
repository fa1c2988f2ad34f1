"""How much of the processor a process claims when others want it too."""

import logging
import os
import sys

_log = logging.getLogger(__name__)

LOWER_NICE = 10


def yield_to_others() -> None:
    """Let this process stand back where others want the processor too; alone it is as quick as before.

    On Windows the process that starts it decides (``BELOW_NORMAL_PRIORITY_CLASS``); nothing happens here.
    """
    if sys.platform == "win32":
        return
    try:
        os.nice(LOWER_NICE)
    except OSError as error:
        _log.warning("the priority could not be lowered: %s", error.strerror or error)
