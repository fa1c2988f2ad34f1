"""``standfast demo``: backup and restore, end to end, on a vSphere that runs on this machine.

``stage`` starts the simulated vSphere and an engine in a folder of their own; ``story`` says what happens there;
``comparison`` compares the outcome with the simulator's own disks, byte by byte; ``screen`` shows it.
"""
