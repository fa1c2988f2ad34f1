"""How the hosts of each release speak on port 902 (protocols page *NFC*, part 4a).

What the page knows of a release is its own. Where it only says that hosts differ (the length of an answer, the
form of a refusal), the forms are spread over the releases, so that a client meets each of them. Nothing is known
of the NFC of ESXi 9: it is that of 8.0 here.
"""

from dataclasses import dataclass
from typing import Final

from app.simulator.nfc.wire import RefusalForm

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NfcProfile:
    """One release's way to speak."""

    release: str
    library_version: int
    """What ``NfcGetServerNfcLibVersion`` and classic 51 answer."""
    takes_handshake: bool
    """Whether classic 43 is understood; the session is closed on it otherwise."""
    announces_sha256: bool
    """Whether the banner names SHA256, and THUMBPRINT_SHA2 is known."""
    has_weak_tls: bool
    """Whether its key exchange needs OpenSSL's security level 1."""
    answers_parameters_late: bool
    """Whether 36 comes only once 51 was received."""
    takes_one_message_a_record: bool
    """Whether, under nbdssl, it takes one message of a TLS record and no more."""
    refusal_form: RefusalForm
    opened_bytes: int
    """Length of the answer to OPEN_FILE."""
    closed_bytes: tuple[int, int]
    """Lengths of the answers to CLOSE_FILE and CLOSE_SESSION."""
    memory_bytes: int
    """Sum of the buffers of all sessions."""
    random_access_needs_host: bool
    """Whether a RandomAccess ticket is refused when ``hostForAccess`` is not given."""
    largest_buffer_bytes: int = 8 * MIB
    session_bytes: int = 16 * MIB
    """Most that the buffers of one session may have together."""


ESXI_6_5: Final = NfcProfile(
    release="6.5",
    library_version=0,
    announces_sha256=False,
    has_weak_tls=True,
    answers_parameters_late=False,
    takes_one_message_a_record=False,
    refusal_form=RefusalForm.IN_FRAME,
    opened_bytes=52,
    closed_bytes=(8, 4),
    random_access_needs_host=True,
    takes_handshake=False,
    memory_bytes=48 * MIB,
)
ESXI_6_7: Final = NfcProfile(
    release="6.7",
    library_version=2,
    announces_sha256=False,
    has_weak_tls=True,
    answers_parameters_late=False,
    takes_one_message_a_record=True,
    refusal_form=RefusalForm.IN_STATUS,
    opened_bytes=60,
    closed_bytes=(16, 4),
    random_access_needs_host=True,
    takes_handshake=False,
    memory_bytes=48 * MIB,
)
ESXI_7_0: Final = NfcProfile(
    release="7.0",
    library_version=9,
    announces_sha256=True,
    has_weak_tls=False,
    answers_parameters_late=True,
    takes_one_message_a_record=True,
    refusal_form=RefusalForm.BEHIND_FRAME,
    opened_bytes=68,
    closed_bytes=(16, 16),
    random_access_needs_host=False,
    takes_handshake=False,
    memory_bytes=48 * MIB,
)
ESXI_8_0: Final = NfcProfile(
    release="8.0",
    library_version=11,
    announces_sha256=True,
    has_weak_tls=False,
    answers_parameters_late=True,
    takes_one_message_a_record=True,
    refusal_form=RefusalForm.BEHIND_FRAME,
    opened_bytes=60,
    closed_bytes=(8, 4),
    random_access_needs_host=False,
    takes_handshake=True,
    memory_bytes=96 * MIB,
)
PROFILES: Final = (ESXI_6_5, ESXI_6_7, ESXI_7_0, ESXI_8_0)


def profile_of(version: str) -> NfcProfile:
    """Return the profile of a version such as ``7.0.3``; that of the newest for later ones."""
    return next((profile for profile in PROFILES if version.startswith(profile.release)), ESXI_8_0)
