"""Standby machines: their file systems, their repositories, and the maintenance of both."""
