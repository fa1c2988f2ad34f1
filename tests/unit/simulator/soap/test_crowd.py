"""Many clients at once."""

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyVim.task import WaitForTask
from pyVmomi import vim

from tests.unit.simulator.soap.lab import PC, Lab, Vm, reference, vm_filter

JOIN_S = 60


class Crowd:
    """Threads that use one lab; whatever one of them raises is kept."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.failures: list[BaseException] = []
        self.changes_are_over = threading.Event()

    def start(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=self._run, args=(work,))
        thread.start()
        return thread

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - judged by the test's own thread
            self.failures.append(error)

    def watch(self) -> None:
        """Follow the inventory until it is known exactly as it is after all changes."""
        with self.lab.client() as instance:
            collector = instance.content.propertyCollector.CreatePropertyCollector()
            collector.CreateFilter(vm_filter(view_of_vms(instance), ["name", "runtime.powerState"]), True)
            version, seen = "", set[str]()
            while not (self.changes_are_over.is_set() and seen == {vm.moid for vm in self.lab.world.all(Vm)}):
                update = collector.WaitForUpdatesEx(version, PC.WaitOptions(maxWaitSeconds=1))
                if update is not None:
                    version = update.version
                    for change in updates_in(update):
                        (seen.discard if change.kind == "leave" else seen.add)(change.obj._moId)

    def read(self) -> None:
        """Read everything of every VM, page by page, again and again."""
        with self.lab.client() as instance:
            collector = instance.content.propertyCollector
            spec = vm_filter(view_of_vms(instance), [], everything=True)
            for _ in range(10):
                page = collector.RetrievePropertiesEx([spec], PC.RetrieveOptions(maxObjects=7))
                while page.token:
                    page = collector.ContinueRetrievePropertiesEx(page.token)

    def work(self) -> None:
        """Run tasks."""
        with self.lab.client() as instance:
            for number in range(8):
                vm = reference(vim.VirtualMachine, f"vm-{number + 1}", instance)
                WaitForTask(vm.CreateSnapshot_Task("s", None, False, False))

    def change(self, seed: int) -> None:
        """Add, rename and remove VMs."""
        lab, dice = self.lab, random.Random(seed)
        for number in range(40):
            if dice.random() < 0.5:
                lab.add_vm(f"new-{number}")
            else:
                dice.choice(lab.vms).set(name=f"renamed-{number}")
        for vm in lab.vms[15:25]:
            lab.vm_folder.set(childEntity=[ref for ref in lab.vm_folder.get("childEntity") if ref != vm.ref])
            lab.world.remove(vm)


def view_of_vms(instance: Any) -> Any:
    content = instance.content
    return content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)


def updates_in(update: Any) -> Iterator[Any]:
    return (changed for part in update.filterSet for changed in part.objectSet)


@pytest.mark.parametrize("seed", [1, 2])
def test_clients_that_read_wait_and_work_at_once_do_not_disturb_each_other(tmp_path: Path, seed: int) -> None:
    lab = Lab(tmp_path)
    lab.start()
    for number in range(20):
        lab.add_vm(f"vm-{number}")
    crowd = Crowd(lab)
    try:
        watcher = crowd.start(crowd.watch)
        jobs = (crowd.read, crowd.work, crowd.read, crowd.work, lambda: crowd.change(seed))
        threads = [crowd.start(job) for job in jobs]
        for thread in threads:
            thread.join(JOIN_S)
        crowd.changes_are_over.set()
        lab.vms[0].set(name="last")
        watcher.join(JOIN_S)
        assert not any(thread.is_alive() for thread in (*threads, watcher))
    finally:
        crowd.changes_are_over.set()
        lab.stop()
    assert crowd.failures == []
