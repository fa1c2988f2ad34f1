"""What can be asked about a VM before it is migrated."""

import pytest

from app.contract.migration import DescribeSource
from app.domain.errors import OperationalError
from app.domain.ids import VmId
from tests.support.migration_lab import MigrationLab, machine_of


def test_the_network_adapters_of_a_source_are_described_for_choice(lab: MigrationLab) -> None:
    vm = VmId(machine_of(lab.source, "web").moid)
    hardware = lab.engine.ask(DescribeSource(platform=lab.here, vm=vm))
    assert hardware.cpus > 0
    assert [adapter.network for adapter in hardware.adapters] != []
    assert all(adapter.network for adapter in hardware.adapters)


def test_a_vm_that_is_not_there_is_refused(lab: MigrationLab) -> None:
    with pytest.raises(OperationalError):
        lab.engine.ask(DescribeSource(platform=lab.here, vm=VmId("vm-none")))
