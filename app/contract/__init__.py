"""What crosses the engine's door: commands, queries, rows, events and errors as values, and the way to them.

The window, ``debugctl`` and the engine share this package, and the window's process needs nothing else of the
engine. It imports ``app.domain``, the standard library and msgspec.

- A module per subject (``tasks``, ``rules``, ``restore`` …) declares its commands, its queries and their rows. The
  ``R`` of ``Command[R]`` and ``Query[R]`` is the answer. A new command is a class here and its handler.
- ``errors`` has :class:`~app.contract.errors.ErrorRow`, an error as code, template and parameters;
  ``wire`` turns all of it into bytes and back.
- ``door`` is the protocol that an engine in this process and ``client`` fulfil.
- ``frames`` cuts a stream into frames; ``endpoint`` is the file in the data folder that says where the door is and
  carries the secret of this run of the engine; ``handshake`` proves on both sides that the other knows it.

The way: a Unix domain socket (mode 0600, in a folder of mode 0700) and the peer's user id where the system reports
it; on Windows a TCP socket of the loopback address. The handshake runs over both. See
``docs/decisions/0007-a-local-door.md``.

A stream, each frame being ``length: u32, kind: u8, number: u64`` (big-endian) and ``length`` bytes of payload::

    client                                        server
    HELLO     {protocol, version, nonce}     →
                                             ←    CHALLENGE {protocol, version, nonce, proof}
    PROOF     {proof}                        →
                                             ←    WELCOME   {pid}
    REQUEST n (a command or a query)         →
                                             ←    REPLY n   (in any order)
    SUBSCRIBE n                              →
                                             ←    REPLY n, then EVENT … as they happen
    PING                                     →
                                             ←    PONG

Invariants: before the handshake is through, nothing but frames of 4 KiB is read, and for 5 s only. A caller has
at most ``MAX_OPEN_REQUESTS`` under way; one that does not read what it is sent is cut off, and reads everything
again when it comes back, which its client reports as ``EngineLost`` and ``EngineFound``. No request is ever
repeated automatically.

Threads: the client has one that keeps the connection and reads, and one that calls listeners, so that a listener
may use the door.
"""
