"""Restore points as files that other programs read: raw, VMDK, qcow2, VHDX.

``formats`` names the formats, ``files`` writes one disk into one file: raw by ourselves, everything else by
``qemu-img``, which reads the disk from us over NBD, so that nothing is stored twice on the way. A file appears
under its name only when it is whole.

Threads: the task's; ``qemu-img`` is a process of its own that ends with a cancelled task.
"""
