"""Reading properties: paths, traversals, pages, and what is missing."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from tests.unit.simulator.soap.lab import PC, Folder, Lab, one_object, reference, values_of, vm_filter


def all_vms(instance: Any) -> Any:
    content = instance.content
    return content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)


def read(instance: Any, obj: Any, *paths: str) -> dict[str, Any]:
    (content,) = instance.content.propertyCollector.RetrieveContents([one_object(obj, list(paths))])
    return values_of(content)


def test_nested_paths_are_resolved(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        vm = vim.VirtualMachine("vm-1")
        found = read(instance, vm, "name", "runtime.powerState", "config.hardware.memoryMB", "runtime.host")
        assert found == {
            "name": "web-01",
            "runtime.powerState": "poweredOn",
            "config.hardware.memoryMB": 1024,
            "runtime.host": vim.HostSystem("host-9"),
        }


def test_arrays_and_their_elements_are_resolved(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        path = "config.hardware.device"
        found = read(
            instance, vim.VirtualMachine("vm-1"), path, path + '["2001"]', path + "[2001].backing.fileName"
        )
        assert [item.key for item in found[path]] == [2000, 2001]
        assert found[path + '["2001"]'].capacityInBytes == 5 << 30
        assert found[path + "[2001].backing.fileName"] == "[ds1] vm/disk-2001.vmdk"


def test_unset_properties_are_left_out_and_empty_arrays_are_not(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        found = read(instance, vim.VirtualMachine("vm-1"), "snapshot", "snapshot.rootSnapshotList", "network")
        assert found == {"network": []}


def test_attribute_access_of_pyvmomi_gives_values_none_and_empty_lists(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        vm = reference(vim.VirtualMachine, "vm-1", instance)
        assert vm.name == "web-01"
        assert vm.snapshot is None
        assert vm.network == []
        assert [datastore._moId for datastore in vm.datastore] == ["datastore-7"]
        assert vm.parent.name == "vm"


@pytest.mark.parametrize("path", ["nme", "config.nothing", "runtime.host.name", "config..name", "a b", '["x"]'])
def test_a_path_that_cannot_exist_is_refused_by_name(lab: Lab, path: str) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        with pytest.raises(vmodl.query.InvalidProperty) as caught:
            read(instance, vim.VirtualMachine("vm-1"), path)
        assert caught.value.name == path


def test_a_property_younger_than_the_client_is_refused(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.anonymous("vim.version.version7") as instance:
        instance.content.sessionManager.Login(lab.spec.users[0].name, "right", None)
        with pytest.raises(vmodl.query.InvalidProperty):
            read(instance, vim.VirtualMachine("vm-1"), "config.vmxConfigChecksum", "config.keyId")


def test_all_gives_every_property_that_is_set(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        spec = PC.FilterSpec(
            objectSet=[PC.ObjectSpec(obj=vim.VirtualMachine("vm-1"))],
            propSet=[PC.PropertySpec(type=vim.VirtualMachine, all=True)],
        )
        (content,) = instance.content.propertyCollector.RetrieveContents([spec])
        assert {"name", "config", "runtime", "guest"} <= values_of(content).keys()
        assert "snapshot" not in values_of(content)


def test_properties_of_a_base_type_apply_to_derived_objects(lab: Lab) -> None:
    lab.add_vm("web-01")
    with lab.client() as instance:
        spec = PC.FilterSpec(
            objectSet=[PC.ObjectSpec(obj=vim.VirtualMachine("vm-1"))],
            propSet=[
                PC.PropertySpec(type=vim.ManagedEntity, pathSet=["name"]),
                PC.PropertySpec(type=vim.VirtualMachine, pathSet=["name", "runtime.powerState"]),
                PC.PropertySpec(type=vim.HostSystem, pathSet=["hardware"]),
            ],
        )
        (content,) = instance.content.propertyCollector.RetrieveContents([spec])
        assert [prop.name for prop in content.propSet] == ["name", "runtime.powerState"]


def test_objects_of_other_types_are_not_reported(lab: Lab) -> None:
    with lab.client() as instance:
        spec = one_object(instance.content.rootFolder, ["name"])
        spec.propSet[0].type = vim.HostSystem
        assert instance.content.propertyCollector.RetrieveContents([spec]) == []
        assert instance.content.propertyCollector.RetrievePropertiesEx([spec], PC.RetrieveOptions()) is None


def test_a_missing_object_is_a_fault_unless_the_client_allows_it(lab: Lab) -> None:
    with lab.client() as instance:
        collector = instance.content.propertyCollector
        spec = one_object(vim.VirtualMachine("vm-404"), ["name"])
        with pytest.raises(vmodl.fault.ManagedObjectNotFound) as caught:
            collector.RetrieveContents([spec])
        assert caught.value.obj == vim.VirtualMachine("vm-404")
        spec.reportMissingObjectsInResults = True
        assert collector.RetrieveContents([spec]) == []


def recursive_spec(root: Any) -> Any:
    """The classical traversal: folders in folders, by name."""
    by_name = PC.SelectionSpec(name="folders")
    folders = PC.TraversalSpec(
        name="folders", type=vim.Folder, path="childEntity", skip=False, selectSet=[by_name]
    )
    datacenters = PC.TraversalSpec(
        name="datacenters", type=vim.Datacenter, path="vmFolder", skip=False, selectSet=[by_name]
    )
    folders.selectSet.append(PC.SelectionSpec(name="datacenters"))
    return PC.FilterSpec(
        objectSet=[PC.ObjectSpec(obj=root, skip=False, selectSet=[folders, datacenters])],
        propSet=[PC.PropertySpec(type=vim.ManagedEntity, pathSet=["name"])],
    )


def test_traversals_that_name_each_other_reach_the_whole_tree(lab: Lab) -> None:
    deep = lab.world.add(
        Folder(lab.world, "group-v7", name="Production", childEntity=[], parent=lab.vm_folder.ref)
    )
    lab.vm_folder.set(childEntity=[deep.ref])
    lab.add_vm("web-01", deep)
    lab.add_vm("db-01")
    with lab.client() as instance:
        spec = recursive_spec(instance.content.rootFolder)
        found = instance.content.propertyCollector.RetrieveContents([spec])
        names = sorted(values_of(obj)["name"] for obj in found)
        assert names == ["Datacenters", "Production", "Shanghai", "db-01", "vm", "web-01"]


def test_a_loop_of_traversals_ends(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as instance:
        up = PC.TraversalSpec(name="up", type=vim.ManagedEntity, path="parent", skip=False)
        down = PC.TraversalSpec(name="down", type=vim.Folder, path="childEntity", skip=False)
        up.selectSet.append(PC.SelectionSpec(name="down"))
        down.selectSet.append(PC.SelectionSpec(name="up"))
        spec = PC.FilterSpec(
            objectSet=[PC.ObjectSpec(obj=vm.ref, selectSet=[up, down])],
            propSet=[PC.PropertySpec(type=vim.ManagedEntity, pathSet=["name"])],
        )
        found = instance.content.propertyCollector.RetrieveContents([spec])
        assert sorted(values_of(obj)["name"] for obj in found) == ["vm", "web-01"]


def test_an_unknown_traversal_name_is_refused(lab: Lab) -> None:
    with lab.client() as instance:
        spec = one_object(instance.content.rootFolder, ["name"])
        spec.objectSet[0].selectSet = [PC.SelectionSpec(name="nowhere")]
        with pytest.raises(vmodl.fault.InvalidArgument):
            instance.content.propertyCollector.RetrieveContents([spec])


def test_pages_have_at_most_max_objects_and_end_without_a_token(lab: Lab) -> None:
    for number in range(7):
        lab.add_vm(f"vm-{number}")
    with lab.client() as instance:
        collector = instance.content.propertyCollector
        page = collector.RetrievePropertiesEx(
            [vm_filter(all_vms(instance), ["name"])], PC.RetrieveOptions(maxObjects=3)
        )
        sizes, names = [], []
        while True:
            sizes.append(len(page.objects))
            names += [values_of(content)["name"] for content in page.objects]
            if not page.token:
                break
            page = collector.ContinueRetrievePropertiesEx(page.token)
        assert sizes == [3, 3, 1]
        assert sorted(names) == [f"vm-{number}" for number in range(7)]


def test_the_server_limits_a_page_even_when_the_client_does_not(lab: Lab) -> None:
    lab.spec = lab.world.spec = type(lab.spec)(users=lab.spec.users, retrieve_limit=2)
    for number in range(3):
        lab.add_vm(f"vm-{number}")
    with lab.client() as instance:
        collector = instance.content.propertyCollector
        page = collector.RetrievePropertiesEx([vm_filter(all_vms(instance), ["name"])], PC.RetrieveOptions())
        assert len(page.objects) == 2
        assert len(collector.ContinueRetrievePropertiesEx(page.token).objects) == 1


def test_a_token_is_good_once_and_for_its_session(lab: Lab) -> None:
    for number in range(4):
        lab.add_vm(f"vm-{number}")
    with lab.client() as instance, lab.client() as stranger:
        collector = instance.content.propertyCollector
        page = collector.RetrievePropertiesEx(
            [vm_filter(all_vms(instance), ["name"])], PC.RetrieveOptions(maxObjects=1)
        )
        with pytest.raises(vmodl.fault.InvalidArgument):
            stranger.content.propertyCollector.ContinueRetrievePropertiesEx(page.token)
        following = collector.ContinueRetrievePropertiesEx(page.token)
        with pytest.raises(vmodl.fault.InvalidArgument):
            collector.ContinueRetrievePropertiesEx(page.token)
        collector.CancelRetrievePropertiesEx(following.token)
        with pytest.raises(vmodl.fault.InvalidArgument):
            collector.ContinueRetrievePropertiesEx(following.token)


def test_an_object_that_goes_between_two_pages_is_left_out(lab: Lab) -> None:
    vms = [lab.add_vm(f"vm-{number}") for number in range(3)]
    with lab.client() as instance:
        collector = instance.content.propertyCollector
        page = collector.RetrievePropertiesEx(
            [vm_filter(all_vms(instance), ["name"])], PC.RetrieveOptions(maxObjects=1)
        )
        seen = {content.obj._moId for content in page.objects}
        gone = next(vm for vm in vms if vm.moid not in seen)
        lab.world.remove(gone)
        rest = collector.ContinueRetrievePropertiesEx(page.token)
        rest_ids = {content.obj._moId for content in rest.objects}
        while rest.token:
            rest = collector.ContinueRetrievePropertiesEx(rest.token)
            rest_ids |= {content.obj._moId for content in rest.objects}
        assert rest_ids == {vm.moid for vm in vms} - seen - {gone.moid}


def test_a_change_is_seen_by_the_next_query(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as instance:
        assert read(instance, vm.ref, "name", "runtime.powerState")["runtime.powerState"] == "poweredOn"
        vm.properties["runtime"].powerState = "poweredOff"
        vm.touch("runtime")
        assert read(instance, vm.ref, "name", "runtime.powerState")["runtime.powerState"] == "poweredOff"


def test_without_login_every_property_is_missing_with_its_reason(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.anonymous() as instance:
        (content,) = instance.content.propertyCollector.RetrieveContents([one_object(vm.ref, ["name"])])
        assert content.propSet == []
        assert isinstance(content.missingSet[0].fault, vim.fault.NotAuthenticated)


def test_numbers_keep_their_declared_width(lab: Lab) -> None:
    vm = lab.add_vm("web-01")
    with lab.client() as instance:
        found = read(instance, vm.ref, "config.hardware.device[2001].capacityInBytes", "config.hardware.memoryMB")
        assert type(found["config.hardware.memoryMB"]).__name__ == "int"
        assert found["config.hardware.device[2001].capacityInBytes"] == 5 << 30
        assert type(found["config.hardware.device[2001].capacityInBytes"]).__name__ == "long"
