"""Standby machines: their file systems, their repositories, and the upkeep of both."""
