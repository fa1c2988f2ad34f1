"""虚拟平台: the registered vCenter servers and ESXi hosts, how they are, and how one is registered. GUI thread."""
