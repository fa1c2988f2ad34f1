"""What the simulated hosts are made of, and which virtual hardware their ESXi versions know."""

HOST_MEMORY_BYTES = 256 << 30
HOST_CORES = 32
CORE_MHZ = 2600

HARDWARE_NUMBERS = (7, 8, 9, 10, 11, 13, 14, 15, 17, 18, 19, 20, 21)
"""Numbers of the virtual hardware versions that VMs can have."""
NEWEST_HARDWARE = {"6.5.0": 13, "6.7.0": 14, "7.0.3": 19, "8.0.3": 21}
"""Number of the newest virtual hardware version of each ESXi."""
