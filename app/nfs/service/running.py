"""The serving process's main loop: serve, answer, and end when asked to, or when only a new start helps."""

import logging
import os
import threading
from pathlib import Path
from typing import Final

from app.core.nfs3 import NFS_PORT, PORTMAP_PORT
from app.core.processlock import ProcessLock
from app.core.wakefulness import Wakefulness
from app.nfs.service.control import Answer, ControlServer, Request
from app.nfs.service.opening import OpenSource
from app.nfs.service.serving import Serving, ServingState

_log = logging.getLogger(__name__)

LOCK_FILE: Final = "nfs-service.lock"
_LOOK_S: Final = 2.0
"""How often it is seen whether a disk has failed, and tried again to serve what could not be."""

STOPPED, TAKEN, FAILED = 0, 3, 4
"""Exit statuses: asked to end; another process serves already; a disk has failed, and a new start is due."""


def run_service(
    folder: Path, open_source: OpenSource, *, port: int = NFS_PORT, portmap_port: int = PORTMAP_PORT
) -> int:
    """Serve the exports of a folder until it is asked to end; return the exit status.

    After a sync that failed it ends at once and without a goodbye: what the clients were not told to be durable
    they send again, to a server with another verifier.

    Raises:
        OSError: the folder cannot be used.
    """
    lock = ProcessLock.take(folder / LOCK_FILE)
    if lock is None:
        return TAKEN
    with lock:
        serving = Serving(folder, open_source, port=port, portmap_port=portmap_port)
        ended = threading.Event()

        def answer(request: Request) -> Answer:
            if request.look:
                serving.look(request.keys)
            if request.stop:
                ended.set()
            return Answer(pid=os.getpid(), rows=serving.rows())

        control = ControlServer(folder, answer)
        awake = Wakefulness("VMs run from restore points of this machine")
        try:
            control.start()  # before a standby is waited for
            serving.look()
            while not ended.wait(_LOOK_S):
                (awake.begin if serving.rows() else awake.end)()
                serving.note_progress()
                if serving.has_failed():
                    _log.error(
                        "a disk could not be made durable, is on another mount, or is lost with its file system; "
                        "the service starts again"
                    )
                    os._exit(FAILED)
                if any(row.state is ServingState.FAILED for row in serving.rows()):
                    serving.look()
        finally:
            control.close()
            serving.close()
            awake.end()
    return STOPPED
