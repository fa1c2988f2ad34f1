"""An engine in a process of its own, to be killed: ``python -m tests.support.engine_process HOME REQUEST [ROOT]``.

Opens the installation in HOME (password file, passphrase from the environment), queues the backup or restore that
REQUEST (JSON, with its kind) describes, prints ``started`` when its snapshot or its VM may exist soon, then
``ended`` with the state. ROOT stands for the root of the file system of the machine that the engine runs on.
"""

import os
import sys
from pathlib import Path

import msgspec

from app.cli.demo.stage import open_host
from app.contract.restore import StartRestore
from app.contract.tasks import StartBackup, TaskDetails
from app.core.passphrases import PASSPHRASE_VARIABLE


def main(home: str, request: str, root: str | None = None) -> int:
    machine_root = None if root is None else Path(root)
    with open_host(Path(home), os.environ[PASSPHRASE_VARIABLE], machine_root=machine_root) as host:
        print("started", flush=True)
        task = host.engine.execute(msgspec.json.decode(request, type=StartBackup | StartRestore))
        host.engine.wait_until_idle(120)
        print("ended", host.engine.ask(TaskDetails(task=task)).task.state.value, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
