"""Merging what removed snapshots have left on the disks of a VM, only ever when an operator asks for it."""
