"""Imports a configuration in a process of its own, which kills itself in the middle.

``python -m tests.support.import_process HOME FILE STEP``: the step is one of ``STEPS``.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from app.catalog.intake import IntakeStore
from app.cli.demo.stage import open_host
from app.contract.moving import ImportConfiguration, ItemDecision, PlanImport
from app.domain.moving import ItemChoice

SECRET = "only for tests"
PASSPHRASE = "otter lamp crane seventeen"
STEPS = ("secrets", "transaction", "committed")


def die(*_: object) -> None:
    """End as a power failure does."""
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Import, and die at the step."""
    home, file, step = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    take_in: Callable[..., None] = IntakeStore.take_in

    def committed(*given: Any) -> None:
        take_in(*given)
        die()

    patches = {
        "secrets": mock.patch.object(IntakeStore, "take_in", die),
        "transaction": mock.patch("app.catalog.intake._put_documents", die),
        "committed": mock.patch.object(IntakeStore, "take_in", committed),
    }
    with open_host(home, SECRET) as host:
        content = file.read_bytes()
        plan = host.engine.ask(PlanImport(content=content, passphrase=PASSPHRASE))
        decisions = tuple(
            ItemDecision(kind=item.kind, key=item.key, choice=ItemChoice.REPLACE, replaces=item.known_id)
            for item in plan.items
            if ItemChoice.REPLACE in item.choices
        )
        with patches[step]:
            host.engine.execute(ImportConfiguration(content=content, passphrase=PASSPHRASE, decisions=decisions))


if __name__ == "__main__":
    main()
