"""Disks that are attached to the VM that this program runs in ("HotAdd"): found in the guest, read, let go of.

What attaches and detaches is the platform (:class:`app.core.access.AttachedDisks`). Here a disk is only known by
the serial number that its platform gave it and by the place where it was attached; both have to fit. This works on
Linux only; on other systems the mode says so and is not used.
"""
