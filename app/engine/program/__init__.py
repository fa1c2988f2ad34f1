"""The engine's own life: its clock, its limits, its heartbeat and its end."""
