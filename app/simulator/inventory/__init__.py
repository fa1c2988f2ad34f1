"""The inventory: folders, datacenter, hosts, datastores, networks and pools, and the file managers.

``build.build_inventory(world)`` makes everything that the world's spec asks for. A vCenter has one datacenter with
a cluster of all hosts; a bare ESXi has the fixed ids that clients know (``ha-datacenter``, ``ha-host``,
``ha-folder-vm`` …).

* ``entity`` - what all managed entities have in common; ``index`` - finds things by name; ``surroundings`` - what
  the entities ask it.
* ``folder``, ``vm_folder``, ``datacenter``, ``compute``, ``host``, ``network``, ``datastore``,
  ``datastore_system``, ``browser`` - as named; ``hardware`` - what hosts are made of.
* ``files`` - FileManager and VirtualDiskManager.

Invariants: names are unique among the children of a folder; a datastore's managed object and its ``SimDatastore``
have the same name.

Threads and locks: as everywhere in the simulator, properties change under ``world.lock``.
"""
