"""authd and NFC on one TCP port, as an ESXi host's port 902, written from the project's page *NFC* alone.

What lives here: :class:`NfcServer` (listens, one thread per connection), :class:`TicketStore` (one-time tickets),
the ports it works with (:class:`DiskResolver`, :class:`NfcFaults`, :class:`NfcTls`); inside: ``authd`` (the
handshake), ``streams`` (TLS that is dropped, plain bytes, TLS for the data), ``session`` (messages and frames),
``transfer`` (disk bytes), ``codecs`` and ``fastlz`` (compression), ``wire`` (layouts).

A connection: plaintext banner → TLS → ``SESSION``, ``BANNER``, ``THUMBPRINT_SHA2``, ``PROXY <service>[ssl]`` →
the TLS layer is dropped without a shutdown → plain bytes (nbd) or a second TLS handshake (nbdssl) → classic
messages → AIO frames. An open file pins its disk, so that a consolidation meanwhile is refused; the pin is gone
before CLOSE_FILE or CLOSE_SESSION is answered.

What the page leaves open and this server decides:

* how it says no is chosen (:class:`RefusalForm`): an ERROR frame (type 1) with u32 code, u32 0 and a text in
  ASCII; one that announces the text behind it, with the ordinary answer following; or that answer's status alone.
  Codes: 5 no memory and 0x0b no permission are known from the wire, the others are in :class:`NfcCode`;
* after an error answer the session goes on; after bytes that are no NFC the connection is closed;
* buffers are at most 8 MiB each; the sum over all sessions is limited per host;
* CLOSE_FILE and CLOSE_SESSION are answered with 8 and 4 zero bytes, SET_RES_POOL with 4;
* a ticket is redeemed by the ``PROXY`` that connects.

Threads: the session's thread does everything for its connection, with the disk's lock only for moments and never
while it sends. Memory per connection: 1 MiB, and two buffers of the size the client chose.
"""

from app.simulator.nfc.ports import DiskResolver, Interruption, NfcFaults, NfcTls
from app.simulator.nfc.profiles import PROFILES, NfcProfile, profile_of
from app.simulator.nfc.server import NfcOptions, NfcServer
from app.simulator.nfc.tickets import Ticket, TicketStore
from app.simulator.nfc.wire import NfcCode, RefusalForm

__all__ = [
    "PROFILES",
    "DiskResolver",
    "Interruption",
    "NfcCode",
    "NfcFaults",
    "NfcOptions",
    "NfcProfile",
    "NfcServer",
    "NfcTls",
    "RefusalForm",
    "Ticket",
    "TicketStore",
    "profile_of",
]
