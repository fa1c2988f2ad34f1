"""A secret store that waits for a person: tasks can be stopped, other questions are answered, the engine ends."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.contract.platforms import ListPlatforms
from app.contract.tasks import CancelTask
from app.core.secrets import SecretStoreLocked
from app.domain.states import TaskState
from app.engine.program.secretaccess import BoundedSecrets
from tests.support.engine_lab import EngineLab, MemorySecrets, filled_vm
from tests.support.waiting import wait_for_threads


class Prompting(MemorySecrets):
    """Asks for a passphrase before each answer, once it is locked."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = threading.Event()
        self.answered.set()
        self.asked = threading.Event()

    def get(self, name: str) -> str | None:
        """Return a secret once the prompt is answered."""
        if not self.answered.is_set():
            self.asked.set()
            self.answered.wait()
        return super().get(name)


@pytest.fixture
def prompting() -> Iterator[Prompting]:
    store = Prompting()
    yield store
    store.answered.set()
    wait_for_threads("secrets-")


def test_a_task_that_waits_for_the_keyring_can_be_stopped(tmp_path: Path, prompting: Prompting) -> None:
    with EngineLab(tmp_path, secrets=prompting) as lab:
        vm = filled_vm(lab)
        prompting.answered.clear()
        task = lab.start_backup(vm)
        assert prompting.asked.wait(5)
        assert lab.engine.ask(ListPlatforms()), "other questions are answered meanwhile"
        began = time.monotonic()
        lab.engine.execute(CancelTask(task=task))
        report = lab.finished(task)
        assert time.monotonic() - began < 5
        assert report.task.state is TaskState.STOPPED
        prompting.answered.set()


def test_the_engine_ends_while_the_keyring_waits(tmp_path: Path, prompting: Prompting) -> None:
    with EngineLab(tmp_path, secrets=prompting) as lab:
        vm = filled_vm(lab)
        prompting.answered.clear()
        lab.start_backup(vm)
        assert prompting.asked.wait(5)
        began = time.monotonic()
        assert lab.engine.close()
        assert time.monotonic() - began < 20
        prompting.answered.set()


def test_a_store_that_does_not_answer_is_an_error_with_a_remedy(prompting: Prompting) -> None:
    prompting.answered.clear()
    with pytest.raises(SecretStoreLocked, match="locked"):
        BoundedSecrets(prompting, limit_s=0.1).get("a")
