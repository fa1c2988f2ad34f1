"""Helpers that tests of several parts share: waiting, ports, clocks, logs, external tools, and the guards."""
