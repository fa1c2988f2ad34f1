"""Templates: made of a VM, listed as what they are, and saved as what they are."""

from app.domain.vms import PowerState, VmPlacement
from app.vsphere.hypervisor import VSphereHypervisor
from tests.support.fakes import RecordingTaskLog


def test_vm_becomes_a_template_and_what_is_saved_of_it_says_so(
    vsphere: VSphereHypervisor, log: RecordingTaskLog
) -> None:
    saved = vsphere.save_configuration(vsphere.list_vms()[0].id, log=log)
    created = vsphere.create_vm(saved, VmPlacement(name="golden"), log=log)
    assert not created.was_template
    version = vsphere.vm_details(created.id).version
    vsphere.mark_as_template(created.id)
    vsphere.mark_as_template(created.id)
    details = vsphere.vm_details(created.id)
    assert details.summary.is_template
    assert details.summary.power_state is PowerState.OFF
    assert len(details.disks) == len(created.disks)
    assert not version or details.version
    (listed,) = [vm for vm in vsphere.list_vms() if vm.is_template]
    assert listed == details.summary

    again = vsphere.create_vm(
        vsphere.save_configuration(created.id, log=log), VmPlacement(name="golden-2"), log=log
    )
    assert again.was_template
    assert not vsphere.vm_details(again.id).summary.is_template
    for vm in (again.id, created.id):
        vsphere.destroy_vm(vm)
