"""Helpers that tests of several parts share: waiting, ports, clocks, logs, outside judges, and the guards."""
