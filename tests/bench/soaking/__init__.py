"""The parts of the soak: the engine in a process of its own, the faults, the oracle."""
