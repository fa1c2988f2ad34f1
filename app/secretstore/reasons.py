"""Reasons why passwords cannot be kept, as parameters of this package's errors."""

from typing import Final

from app.domain.messages import Message, MessageKind
from app.domain.reasons import SYSTEM_ERROR

THREAD_HOLDS: Final = MessageKind(
    "secrets.thread_holds", "another thread of this program has been using {path} for too long"
)
FILE_REFUSED: Final = MessageKind("secrets.file_refused", "{path} cannot be used ({reason})")
FILE_CHANGED: Final = MessageKind("secrets.file_changed", "it is not what was written")
NOT_KEPT: Final = MessageKind("secrets.not_kept", "the keyring does not return what was written to it")
KEYRING_HELD: Final = MessageKind(
    "secrets.keyring_held", "another program has been using the keyring for too long"
)
KEYRING_FAILED: Final = MessageKind("secrets.keyring_failed", "the keyring failed ({error})")
KEYRING_REFUSED: Final = MessageKind("secrets.keyring_refused", "the keyring failed: {reason}")
PLAIN_TEXT: Final = MessageKind("secrets.plain_text", "the keyring {keyring} would keep them in plain text")
NO_KEYRING: Final = MessageKind("secrets.no_keyring", "this machine has no keyring for this user")


def keyring_reason(error: Exception, *, may_quote: bool) -> Message:
    """Return why a keyring failed.

    Args:
        error: what its program raised.
        may_quote: whether its text can be kept as details, because no secret can be in it.
    """
    words = getattr(error, "strerror", None)
    number = getattr(error, "winerror", None) or getattr(error, "errno", None)
    if isinstance(words, str) and words.strip():  # the system's own: no secret is in them
        if isinstance(number, int):
            return KEYRING_REFUSED.fill(reason=SYSTEM_ERROR.fill(number=number, details=words.strip()))
        return KEYRING_FAILED.fill(error=type(error).__name__, details=words.strip())
    return KEYRING_FAILED.fill(error=type(error).__name__, details=str(error) if may_quote else "")
