"""Virtual machines: what they look like and everything that can be done to them.

* ``machine``, ``snapshot`` - the state of a VM and of a snapshot.
* ``virtual_machine``, ``virtual_machine_snapshot`` - their SOAP methods; what these do is in ``power``,
  ``reconfigure``, ``snapshots``, ``consolidation``, ``revert``, ``changed_areas``, ``relocate``, ``lifecycle`` by
  subject.
* ``disk_tree`` - a VM's disk as chains of files: freezing, consolidation, throwing branches away; ``disks`` - how
  a configuration describes these files.
* ``config``, ``devices``, ``device_changes``, ``card_changes`` - pure functions on pyVmomi's data objects.
* ``views`` - the properties that follow from configuration and state.
* ``files``, ``vmx``, ``snapshot_files``, ``layout``, ``guest_systems`` - a VM's files and their names;
  ``present_files`` - naming them after they were merged or moved.
* ``create``, ``register`` - VMs made by CreateVM_Task and RegisterVM_Task; ``from_spec`` - those that are there at
  the start.
* ``privileges`` - what a ConfigSpec asks for.
* ``nfc_service`` - tickets for NFC; ``disk_access`` - what NFC and HTTPS may open; ``stun`` - pausing who writes.

Invariants: data objects of pyVmomi are values, replaced and never changed in place, so that a snapshot's
configuration shares the live one's parts and may be serialized while the VM changes. A VM runs one task at a time;
a second one is refused with TaskInProgress.

Locks: ``world.lock`` while properties are exchanged, never during disk I/O. That a VM is busy with a task is noted
under ``world.lock`` too, and is what keeps two tasks from changing the same disks.
"""
