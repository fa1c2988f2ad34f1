"""The server of the engine's door: lets other processes of this user in. The protocol is ``app.contract``'s.

- ``server`` accepts callers and ``caller`` serves one of them; ``listening`` opens the socket and writes its file;
  ``peers`` asks the system who the other is.

Threads: the server has one that accepts; each caller one that reads, one that writes, and as many as it has
requests under way.
"""
