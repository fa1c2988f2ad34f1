"""Reading the disks of VMs straight from the NFS server that holds their datastore, past the ESXi hosts.

- ``wire``: the procedures and answers of NFS 3, MOUNT 3 and PORTMAP 2 that a reader needs;
- ``rpc``: calls over one TCP connection, several in flight;
- ``export``: from the name of an export to open files;
- ``reader``: a disk of one or more layers (``app/transport/chain``) as a :class:`app.core.disks.DiskReader`.

NFS 3 has neither encryption nor a proof of who somebody is: it is a plain mode, which only the operator allows.
"""
