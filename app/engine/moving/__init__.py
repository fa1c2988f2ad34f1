"""Moving to another workstation: the configuration as one file, and rules whose workstation is gone.

- ``form`` is the file: what is in it, how it is written and read (``docs/configuration-file.md``).
- ``gather`` reads the catalog into it; ``compare`` decides, as a pure function, what of it is new, the same or
  different here; ``intake`` writes what the operator chose, in one transaction.
- ``copies`` keeps a copy of the rules at each repository; ``takeover`` makes them this console's.

Secrets are in the file only sealed by a passphrase, and never in the copies.
"""
