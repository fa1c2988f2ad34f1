"""Secrets that the operator types, or that a program hands over on standard input; never on the command line."""

import getpass
import sys

from app.core.streams import is_at_terminal
from app.domain.errors import OperationalError
from app.domain.recoverykeys import has_form_of_recovery_key

_MOST_CHARS = 64 * 1024


class PassphrasesDiffer(OperationalError):
    """A new passphrase was not typed twice the same."""

    code = "ctl.passphrases_differ"
    message_template = "The two passphrases are not the same."
    hint_template = "Run the command again; nothing was changed."


def secret(question: str) -> str:
    """Ask for a secret at a terminal, else read a line of standard input."""
    if is_at_terminal():
        return getpass.getpass(question)
    return "" if sys.stdin is None else sys.stdin.readline().rstrip("\r\n")


def passphrase_or_recovery_key(question: str) -> str:
    """Ask for what opens a standby machine; a recovery key from a file may be in two lines, as it is printed."""
    if is_at_terminal():
        return getpass.getpass(question)
    whole = sys.stdin.read(_MOST_CHARS) if sys.stdin is not None else ""
    return whole if has_form_of_recovery_key(whole) else whole.partition("\n")[0].rstrip("\r")


def new_passphrase() -> str:
    """Ask for a new passphrase, at a terminal twice.

    Raises:
        PassphrasesDiffer: they are not the same.
    """
    first = secret("New passphrase: ")
    if is_at_terminal() and getpass.getpass("Once more: ") != first:
        raise PassphrasesDiffer
    return first
