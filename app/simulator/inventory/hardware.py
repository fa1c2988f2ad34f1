"""What the simulated hosts are made of, and which virtual hardware their ESXi versions know."""

HOST_MEMORY_BYTES = 256 << 30
HOST_CORES = 32
CORE_MHZ = 2600

HARDWARE_NUMBERS = (7, 8, 9, 10, 11, 13, 14, 15, 17, 18, 19, 20, 21, 22)
"""Numbers of the virtual hardware versions that VMs can have."""
