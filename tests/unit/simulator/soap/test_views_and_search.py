"""Views, the search index, and events."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from tests.unit.simulator.soap.lab import Folder, Lab, Vm


@pytest.fixture
def vm(lab: Lab) -> Vm:
    deep = lab.world.add(
        Folder(lab.world, "group-v7", name="Production", childEntity=[], parent=lab.vm_folder.ref)
    )
    lab.vm_folder.set(childEntity=[deep.ref])
    return lab.add_vm("web-01", deep)


def names(refs: list[Any]) -> list[str]:
    return sorted(ref.name for ref in refs)


def test_a_view_shows_what_is_inside_however_deep(lab: Lab, vm: Vm) -> None:
    lab.add_vm("db-01")
    with lab.client() as instance:
        content = instance.content
        create = content.viewManager.CreateContainerView
        assert names(create(content.rootFolder, [vim.VirtualMachine], True).view) == ["db-01", "web-01"]
        assert names(create(content.rootFolder, [vim.HostSystem], True).view) == ["esx01.lab"]
        assert names(create(content.rootFolder, [], False).view) == ["Shanghai"]
        assert len(create(content.rootFolder, [], True).view) == 9


def test_a_view_follows_the_inventory(lab: Lab, vm: Vm) -> None:
    with lab.client() as instance:
        content = instance.content
        view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
        assert names(view.view) == ["web-01"]
        lab.add_vm("db-01")
        assert names(view.view) == ["db-01", "web-01"]
        assert content.viewManager.viewList == [view]
        view.DestroyView()
        assert content.viewManager.viewList == []
        with pytest.raises(vmodl.fault.ManagedObjectNotFound):
            assert view.view


def test_a_view_of_nonsense_is_refused(lab: Lab, vm: Vm) -> None:
    with lab.client() as instance:
        content = instance.content
        with pytest.raises(vmodl.fault.InvalidArgument) as caught:
            content.viewManager.CreateContainerView(vm.ref, [], True)
        assert str(caught.value.invalidProperty) == "container"
        with pytest.raises(vmodl.fault.InvalidArgument) as caught:
            content.viewManager.CreateContainerView(content.rootFolder, [vim.Task], True)
        assert str(caught.value.invalidProperty) == "type"
        with pytest.raises(vmodl.fault.ManagedObjectNotFound):
            content.viewManager.CreateContainerView(vim.Folder("group-404"), [], True)


def test_list_views_hold_what_the_client_puts_in(lab: Lab, vm: Vm) -> None:
    with lab.client() as instance:
        manager = instance.content.viewManager
        view = manager.CreateListView([vm.ref])
        missing = vim.VirtualMachine("vm-404")
        assert view.ModifyListView(add=[lab.host.ref, missing], remove=[vm.ref]) == [missing]
        assert names(view.view) == ["esx01.lab"]
        copy = manager.CreateListViewFromView(view)
        assert view.ResetListView([vm.ref]) == []
        assert names(view.view) == ["web-01"]
        assert names(copy.view) == ["esx01.lab"]
        copy.ResetListViewFromView(view)
        assert names(copy.view) == ["web-01"]


def test_vms_are_found_by_what_identifies_them(lab: Lab, vm: Vm) -> None:
    lab.add_vm("db-01")
    config = vm.properties["config"]
    datacenter = lab.datacenter.ref
    with lab.client() as instance:
        search = instance.content.searchIndex
        assert search.FindByUuid(None, config.uuid.upper(), True, False) == vm.ref
        assert search.FindByUuid(datacenter, config.instanceUuid, True, True) == vm.ref
        assert search.FindByUuid(None, config.instanceUuid, True, False) is None
        assert search.FindAllByUuid(None, config.uuid, True, False) == [vm.ref]
        assert search.FindByDnsName(None, "WEB-01.example.com", True) == vm.ref
        assert search.FindByDnsName(None, "esx01.lab", False) == lab.host.ref
        assert search.FindByIp(None, "10.0.0.1", True) == vm.ref
        assert search.FindAllByIp(None, "10.9.9.9", True) == []
        assert search.FindByDatastorePath(datacenter, "[ds1] web-01/web-01.vmx") == vm.ref
        assert search.FindByDatastorePath(datacenter, "[ds1] nothing.vmx") is None


def test_entities_are_found_by_path(lab: Lab, vm: Vm) -> None:
    with lab.client() as instance:
        search = instance.content.searchIndex
        assert search.FindByInventoryPath("/Shanghai/vm/Production/web-01") == vm.ref
        assert search.FindByInventoryPath("Shanghai/host/esx01.lab") == lab.host.ref
        assert search.FindByInventoryPath("Shanghai/vm/web-01") is None
        assert search.FindByInventoryPath("") is None
        assert search.FindChild(lab.vm_folder.ref, "Production") == vim.Folder("group-v7")
        assert search.FindChild(lab.vm_folder.ref, "Staging") is None


def test_events_can_be_filtered(lab: Lab, vm: Vm) -> None:
    other = lab.add_vm("db-01")
    post = lab.world.events.post
    post(vim.event.VmPoweredOnEvent, "on", vm=vm, user="u1")
    post(vim.event.VmPoweredOffEvent, "off", vm=vm, user="u2")
    post(vim.event.VmPoweredOnEvent, "on", vm=other, user="u2")
    spec: Any = vim.event.EventFilterSpec

    def query(**wish: Any) -> list[str | None]:
        with lab.client() as instance:
            found = instance.content.eventManager.QueryEvents(spec(**wish))
            return [obj.fullFormattedMessage for obj in found if isinstance(obj, vim.event.VmEvent)]

    assert query() == ["on", "off", "on"]
    assert query(entity=spec.ByEntity(entity=vm.ref, recursion="self")) == ["on", "off"]
    assert query(entity=spec.ByEntity(entity=vim.Folder("group-v7"), recursion="all")) == ["on", "off"]
    assert query(type=[vim.event.VmPoweredOnEvent]) == ["on", "on"]
    assert query(eventTypeId=["vim.event.VmPoweredOffEvent"]) == ["off"]
    assert query(userName=spec.ByUsername(systemUser=False, userList=["u1"])) == ["on"]
    assert query(type=[vim.event.VmEvent], maxCount=1) == ["on"]
    assert query(time=spec.ByTime(endTime=vm.world.events.all()[0].createdTime)) == ["on"]


def test_events_can_be_read_page_by_page(lab: Lab, vm: Vm) -> None:
    for number in range(4):
        lab.world.events.post(vim.event.VmPoweredOnEvent, str(number), vm=vm)
    with lab.client() as instance:
        manager = instance.content.eventManager
        collector = manager.CreateCollectorForEvents(vim.event.EventFilterSpec(type=[vim.event.VmPoweredOnEvent]))
        assert [event.fullFormattedMessage for event in collector.ReadNextEvents(3)] == ["0", "1", "2"]
        assert [event.fullFormattedMessage for event in collector.ReadNextEvents(3)] == ["3"]
        lab.world.events.post(vim.event.VmPoweredOnEvent, "late", vm=vm)
        assert [event.fullFormattedMessage for event in collector.ReadNextEvents(3)] == ["late"]
        collector.RewindCollector()
        assert [event.fullFormattedMessage for event in collector.ReadNextEvents(1)] == ["0"]
        collector.ResetCollector()
        assert [event.fullFormattedMessage for event in collector.ReadPreviousEvents(2)] == ["late", "3"]
        collector.SetCollectorPageSize(2)
        assert [event.fullFormattedMessage for event in collector.latestPage] == ["late", "3"]
        assert manager.latestEvent.fullFormattedMessage == "late"


def test_events_name_the_vm(lab: Lab, vm: Vm) -> None:
    lab.world.events.post(vim.event.VmPoweredOnEvent, "on", vm=vm, user="u1")
    with lab.client() as instance:
        (event,) = instance.content.eventManager.QueryEvents(
            vim.event.EventFilterSpec(type=[vim.event.VmPoweredOnEvent])
        )
        assert (event.vm.vm, event.vm.name, event.userName) == (vm.ref, "web-01", "u1")
