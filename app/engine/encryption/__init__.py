"""The encryption of backup data: which keys open what, and where they are kept.

- ``service`` turns encryption on, unlocks, and changes passphrases and recovery keys.
- ``keystore`` keeps the keys in the machine's secret store.
- ``handlers`` answers the commands and queries.
"""
