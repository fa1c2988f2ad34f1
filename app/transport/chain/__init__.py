"""Disks as files on a datastore: from a descriptor to where each byte lies, through all parents of a snapshot.

Source: protocols page *vSphere facts*, "Formats of disk files on a datastore".

- ``descriptor``: the text file that names the data files and the parent;
- ``flat``, ``cowd``, ``sesparse``: one layer each, in the formats that ESXi writes;
- ``chain``: a disk with all its layers, as runs of bytes in files and of zeros.

Nothing here knows how the files are read.
"""
