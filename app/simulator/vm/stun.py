"""Stuns VMs, as a host does for the moments in which their files are exchanged."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.simulator.vm import running_files
from app.simulator.vm.machine import Machine


@contextmanager
def stunned(vm: Machine) -> Iterator[None]:
    """Pause the guest inside the block, so that all disks are of one moment."""
    guests = vm.world.guests
    was_running = vm.is_running
    if was_running:
        guests.pause(vm)
    try:
        yield
    finally:
        if was_running:
            try:
                running_files.refresh(vm)
            finally:
                guests.resume(vm)
