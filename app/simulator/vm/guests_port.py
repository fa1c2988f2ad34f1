"""Tells the guests that write what happens to their VM."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from app.simulator.vm.machine import VirtualMachine


class Guests(Protocol):
    """The guests of all VMs, as the VMs know them. Thread: any."""

    def started(self, vm: "VirtualMachine") -> None:
        """Let the guest of a VM that was powered on run."""
        ...

    def stopped(self, vm: "VirtualMachine") -> None:
        """Let the guest of a VM that was powered off, reset or removed end; nothing is written afterwards."""
        ...

    def pause(self, vm: "VirtualMachine") -> None:
        """Hold the guest still between two writes; returns when it is."""
        ...

    def resume(self, vm: "VirtualMachine") -> None:
        """Let it go on."""
        ...


def guests_of(vm: "VirtualMachine") -> Guests | None:
    """Return the guests, or None in a world without."""
    guests: Guests | None = vm.world.guests
    return guests


@contextmanager
def stunned(vm: "VirtualMachine") -> Iterator[None]:
    """Hold the guest still inside the block, so that all disks are of one moment."""
    guests = guests_of(vm) if vm.is_running else None
    if guests is not None:
        guests.pause(vm)
    try:
        yield
    finally:
        if guests is not None:
            guests.resume(vm)


def guest_started(vm: "VirtualMachine") -> None:
    """Tell that the VM runs."""
    guests = guests_of(vm)
    if guests is not None:
        guests.started(vm)


def guest_stopped(vm: "VirtualMachine") -> None:
    """Tell that the VM does not run any more."""
    guests = guests_of(vm)
    if guests is not None:
        guests.stopped(vm)
