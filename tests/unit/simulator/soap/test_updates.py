"""Watching properties with WaitForUpdatesEx."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from app.simulator.vmomi import message_of
from tests.unit.simulator.soap.lab import PC, Lab, one_object, reference, vm_filter

AT_ONCE = PC.WaitOptions(maxWaitSeconds=0)
PATIENT = PC.WaitOptions(maxWaitSeconds=30)


def watch_vms(instance: Any, *paths: str) -> Any:
    """Return an own collector that watches all VMs."""
    content = instance.content
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    collector = content.propertyCollector.CreatePropertyCollector()
    collector.CreateFilter(vm_filter(view, list(paths)), True)
    return collector


def changes(update: Any) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (changed.kind, changed.obj._moId, {change.name: change.val for change in changed.changeSet})
        for filter_update in update.filterSet
        for changed in filter_update.objectSet
    ]


def in_background(action: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(action())
        except vmodl.MethodFault as fault:
            results.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def test_first_answer_holds_everything_and_later_ones_only_changes(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    lab.add_vm("db-01")
    with lab.client() as instance:
        collector = watch_vms(instance, "name", "runtime.powerState", "snapshot")
        first = collector.WaitForUpdatesEx("", AT_ONCE)
        assert sorted(changes(first), key=lambda pair: pair[1]) == [
            ("enter", "vm-1", {"name": "web-01", "runtime.powerState": "poweredOn"}),
            ("enter", "vm-2", {"name": "db-01", "runtime.powerState": "poweredOn"}),
        ]
        assert collector.WaitForUpdatesEx(first.version, AT_ONCE) is None
        vm.properties["runtime"].powerState = "poweredOff"
        vm.touch("runtime")
        second = collector.WaitForUpdatesEx(first.version, AT_ONCE)
        assert changes(second) == [("modify", "vm-1", {"runtime.powerState": "poweredOff"})]
        assert second.version != first.version


def test_new_and_removed_objects_enter_and_leave(lab: Lab) -> None:
    gone = lab.add_vm("web-01")
    with lab.client() as instance:
        collector = watch_vms(instance, "name")
        first = collector.WaitForUpdatesEx(None, AT_ONCE)
        lab.vm_folder.set(childEntity=[])
        lab.world.remove(gone)
        lab.add_vm("db-01")
        second = collector.WaitForUpdatesEx(first.version, AT_ONCE)
        assert changes(second) == [("enter", "vm-2", {"name": "db-01"}), ("leave", "vm-1", {})]


def test_a_property_that_becomes_unset_is_told(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as instance:
        collector = watch_vms(instance, "guest.hostName")
        first = collector.WaitForUpdatesEx("", AT_ONCE)
        vm.set(guest=None)
        second = collector.WaitForUpdatesEx(first.version, AT_ONCE)
        assert changes(second) == [("modify", "vm-1", {"guest.hostName": None})]


def test_a_waiting_client_is_woken_by_a_change(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as instance:
        collector = watch_vms(instance, "name")
        first = collector.WaitForUpdatesEx("", AT_ONCE)
        thread, results = in_background(lambda: collector.WaitForUpdatesEx(first.version, PATIENT))
        vm.set(name="renamed")
        thread.join(20)
        assert changes(results[0]) == [("modify", "vm-1", {"name": "renamed"})]


def test_a_change_of_something_else_does_not_end_the_wait(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as instance:
        collector = watch_vms(instance, "name")
        first = collector.WaitForUpdatesEx("", AT_ONCE)
        vm.properties["runtime"].powerState = "poweredOff"
        vm.touch("runtime")
        assert collector.WaitForUpdatesEx(first.version, AT_ONCE) is None


def test_a_lost_answer_is_told_again(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as instance:
        collector = watch_vms(instance, "name")
        first = collector.WaitForUpdatesEx("", AT_ONCE)
        vm.set(name="second")
        lost = collector.WaitForUpdatesEx(first.version, AT_ONCE)
        again = collector.WaitForUpdatesEx(first.version, AT_ONCE)
        assert changes(again) == changes(lost) == [("modify", "vm-1", {"name": "second"})]


def test_versions_that_are_too_old_or_never_were_are_refused(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as instance:
        collector = watch_vms(instance, "name")
        first = collector.WaitForUpdatesEx("", AT_ONCE)
        vm.set(name="second")
        second = collector.WaitForUpdatesEx(first.version, AT_ONCE)
        assert collector.WaitForUpdatesEx(second.version, AT_ONCE) is None
        for version in (first.version, "99", "nonsense"):
            with pytest.raises(vmodl.query.InvalidCollectorVersion):
                collector.WaitForUpdatesEx(version, AT_ONCE)


def test_many_updates_come_in_truncated_pieces(lab: Lab) -> None:
    for number in range(5):
        lab.add_vm(f"vm-{number}")
    with lab.client() as instance:
        collector = watch_vms(instance, "name")
        options = PC.WaitOptions(maxWaitSeconds=0, maxObjectUpdates=2)
        version, sizes, truncated, seen = "", [], [], set()
        while (update := collector.WaitForUpdatesEx(version, options)) is not None:
            sizes.append(len(changes(update)))
            truncated.append(bool(update.truncated))
            seen |= {moid for _, moid, _ in changes(update)}
            version = update.version
        assert sizes == [2, 2, 1]
        assert truncated == [True, True, False]
        assert len(seen) == 5


def test_waits_end_when_they_are_cancelled(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        collector = watch_vms(instance, "name")
        first = collector.WaitForUpdatesEx("", AT_ONCE)
        thread, results = in_background(lambda: collector.WaitForUpdatesEx(first.version, PATIENT))
        while thread.is_alive():
            collector.CancelWaitForUpdates()
            thread.join(0.01)
        assert isinstance(results[0], vmodl.fault.RequestCanceled)


def test_waits_end_when_the_session_ends(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        collector = watch_vms(instance, "name")
        first = collector.WaitForUpdatesEx("", AT_ONCE)
        thread, results = in_background(lambda: collector.WaitForUpdatesEx(first.version, PATIENT))
        lab.world.faults.expire_sessions()
        thread.join(20)
        assert isinstance(results[0], vmodl.fault.RequestCanceled | vim.fault.NotAuthenticated)


def test_waits_end_when_the_simulator_stops(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        collector = watch_vms(instance, "name")
        first = collector.WaitForUpdatesEx("", AT_ONCE)

        def wait() -> Any:
            try:
                return collector.WaitForUpdatesEx(first.version, PATIENT)
            except OSError as error:
                return error

        thread, results = in_background(wait)
        lab.stop()
        thread.join(20)
        assert isinstance(results[0], vmodl.fault.RequestCanceled | OSError)


def test_a_wait_does_not_hold_up_other_calls(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        collector = watch_vms(instance, "name")
        first = collector.WaitForUpdatesEx("", AT_ONCE)
        thread, _ = in_background(lambda: collector.WaitForUpdatesEx(first.version, PATIENT))
        for _ in range(20):
            instance.CurrentTime()
        collector.CancelWaitForUpdates()
        while thread.is_alive():
            collector.CancelWaitForUpdates()
            thread.join(0.01)


def test_a_destroyed_filter_tells_nothing_more(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as instance:
        collector = instance.content.propertyCollector
        watched = collector.CreateFilter(one_object(vm.ref, ["name"]), False)
        assert collector.filter == [watched]
        first = collector.WaitForUpdatesEx("", AT_ONCE)
        watched.DestroyPropertyFilter()
        vm.set(name="renamed")
        assert collector.WaitForUpdatesEx(first.version, AT_ONCE) is None
        assert collector.filter == []
        with pytest.raises(vmodl.fault.ManagedObjectNotFound):
            watched.DestroyPropertyFilter()


def test_a_destroyed_collector_is_gone_with_its_filters(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as instance:
        collector = instance.content.propertyCollector.CreatePropertyCollector()
        watched = collector.CreateFilter(one_object(vm.ref, ["name"]), False)
        collector.DestroyPropertyCollector()
        for gone in (watched.DestroyPropertyFilter, lambda: collector.WaitForUpdatesEx("", AT_ONCE)):
            with pytest.raises(vmodl.fault.ManagedObjectNotFound):
                gone()


def test_the_default_collector_is_each_sessions_own(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as client, lab.client() as other:
        client.content.propertyCollector.CreateFilter(one_object(vm.ref, ["name"]), False)
        assert client.content.propertyCollector.WaitForUpdatesEx("", AT_ONCE) is not None
        assert other.content.propertyCollector.WaitForUpdatesEx("", AT_ONCE) is None
        with pytest.raises(vmodl.fault.NotSupported):
            client.content.propertyCollector.DestroyPropertyCollector()


def test_a_filter_on_nonsense_is_refused_when_it_is_made(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as instance:
        collector = instance.content.propertyCollector
        with pytest.raises(vmodl.query.InvalidProperty):
            collector.CreateFilter(one_object(vm.ref, ["nme"]), False)
        with pytest.raises(vmodl.fault.ManagedObjectNotFound):
            collector.CreateFilter(one_object(vim.VirtualMachine("vm-404"), ["name"]), False)


def test_a_task_is_watched_to_its_end_by_an_own_collector(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        task = reference(vim.VirtualMachine, "vm-1", instance).CreateSnapshot_Task("s", None, False, True)
        collector = instance.content.propertyCollector.CreatePropertyCollector()
        collector.CreateFilter(one_object(task, ["info.state", "info.progress", "info.error"]), True)
        version = ""
        known: dict[str, Any] = {}
        while known.get("info.state") not in ("success", "error"):
            update = collector.WaitForUpdatesEx(version, PATIENT)
            version = update.version
            for _, _, values in changes(update):
                known.update(values)
        assert known["info.state"] == "error"
        assert isinstance(known["info.error"], vim.fault.ApplicationQuiesceFault)
        assert message_of(known["info.error"]) == "VSS says no"
        assert isinstance(known["info.error"].faultCause, vim.fault.FileLocked)
