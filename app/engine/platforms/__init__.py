"""Virtual platforms: sessions, the VMs on record, their disks, and what was last seen."""
