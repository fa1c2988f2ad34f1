"""Starts, stops and pauses the guests that write, as their VMs are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from app.simulator.vm.machine import Machine


class Guests(Protocol):
    """The guests of all VMs, as the VMs know them. Thread: any."""

    def started(self, vm: Machine) -> None:
        """Let the guest of a VM that was powered on run."""
        ...

    def stopped(self, vm: Machine) -> None:
        """Let the guest of a VM that was powered off, reset or removed end; nothing is written afterwards."""
        ...

    def pause(self, vm: Machine) -> None:
        """Hold the guest still between two writes; returns when it is."""
        ...

    def resume(self, vm: Machine) -> None:
        """Let it go on."""
        ...


def guests_of(vm: Machine) -> Guests | None:
    """Return the guests, or None in a world without."""
    guests: Guests | None = vm.world.guests
    return guests


@contextmanager
def stunned(vm: Machine) -> Iterator[None]:
    """Hold the guest still inside the block, so that all disks are of one moment."""
    guests = guests_of(vm) if vm.is_running else None
    if guests is not None:
        guests.pause(vm)
    try:
        yield
    finally:
        if guests is not None:
            guests.resume(vm)


def guest_started(vm: Machine) -> None:
    """Let the guest of a VM that runs begin to write, in a world with guests."""
    guests = guests_of(vm)
    if guests is not None:
        guests.started(vm)


def guest_stopped(vm: Machine) -> None:
    """Let the guest of a VM that stopped write no more, in a world with guests."""
    guests = guests_of(vm)
    if guests is not None:
        guests.stopped(vm)
