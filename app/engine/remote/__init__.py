"""The engine's door for other processes of this user on this machine: a server beside the engine, and its client.

- ``server`` lets callers in and ``session`` serves one of them; ``client`` is the same ``Door`` on the other side.
- ``frames`` cuts the stream into frames; what is in them is ``app.engine.wire``'s business.
- ``endpoint`` is the file in the data folder that says where the door is and carries the secret of this run of the
  engine; ``handshake`` proves on both sides that the other knows it; ``peers`` asks the system who the other is.

The way: a Unix domain socket (mode 0600, in a folder of mode 0700) and the peer's user id where the system tells
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
anew when it comes back, which its client tells as ``EngineLost`` and ``EngineFound``. No request is ever repeated
by itself.

Threads: the server has one that accepts; each session one that reads, one that writes, and as many as it has
requests under way. The client has one that keeps the connection and reads, and one that calls listeners, so that
a listener may use the door.
"""
