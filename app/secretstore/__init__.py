"""Where passwords are kept: the operating system's keyring, or by choice one encrypted file. Never plain text.

Start at :func:`app.secretstore.choice.open_secret_store`. Both stores fulfil ``app.core.secrets.SecretStore``;
every error is a :class:`app.core.secrets.SecretStoreUnavailable` or a subclass of it from ``errors.py``.

- ``keyring_store``: Windows Credential Manager, GNOME Keyring, KWallet, by the library *keyring*. Backends of
  that library that keep plain text, or nothing, are refused.
- ``file_store``: for a server without a keyring. Format in ``file_format``: one JSON document with the parameters
  of scrypt (from a passphrase to the keys), a check value that sets a wrong passphrase apart from damage, and
  all secrets together under AES-256-GCM, with the header as associated data. A new nonce for each write; the write
  is atomic and durable; writers of several processes exclude each other by a lock on ``<file>.lock``.
- The passphrase comes from the environment variable ``STANDFAST_PASSPHRASE`` or from a callable that asks for it.

Values never go to a log, an exception or a repr. Threads: any; the stores lock for themselves.
"""
