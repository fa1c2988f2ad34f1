"""The soak's engine: a process that lives on a turned clock and obeys lines of JSON.

``python -m tests.bench.soaking.engine HOME START`` opens the installation in HOME, prints a line, and then answers
each line ``{"turn_to": ISO time}`` by turning its clock, letting the scheduler look until it comes to rest, and
printing what ended since. It is killed without a word.
"""

import json
import os
import sys
from datetime import datetime
from pathlib import Path

from app.bootstrap.host import EngineHost
from app.bootstrap.installation import Installation
from app.cli.demo.stage import folders_in
from app.contract.points import ListPoints
from app.contract.tasks import ListTasks
from app.core.passphrases import PASSPHRASE_VARIABLE, SECRET_FILE
from app.engine.engine import Engine
from app.secretstore.file_store import EncryptedFileSecretStore
from tests.support.fakes import TurnableClock

_REST_S = 300.0


def main(home: str, start: str) -> None:
    """Serve until standard input ends."""
    clock = TurnableClock(datetime.fromisoformat(start))
    installation = Installation.find(folders_in(Path(home)))
    secrets = EncryptedFileSecretStore(
        installation.folders.data / SECRET_FILE, lambda: os.environ[PASSPHRASE_VARIABLE]
    )
    with EngineHost.open(installation, secrets=secrets, clock=clock) as host:
        _say({"ready": os.getpid()})
        for line in sys.stdin:
            wanted = datetime.fromisoformat(json.loads(line)["turn_to"])
            clock.turn(max(0.0, (wanted - clock.now()).total_seconds()))
            host.engine.tick()
            rested = host.engine.wait_until_idle(_REST_S)
            _say({"rested": rested, "tasks": _ended(host.engine)})


def _ended(engine: Engine) -> list[dict[str, str | None]]:
    rows = engine.ask(ListTasks(limit=400))
    points = {known.point.id: known.point for known in engine.ask(ListPoints())}
    return [
        {
            "id": row.id,
            "kind": row.kind.value,
            "state": row.state.value,
            "vm": row.vm,
            "point": row.point,
            "made_at": points[row.point].created_at.isoformat() if row.point in points else None,
            "made_kind": points[row.point].kind.value if row.point in points else None,
            "error": row.error.code if row.error else None,
        }
        for row in rows
        if row.state.is_final
    ]


def _say(answer: dict[str, object]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
