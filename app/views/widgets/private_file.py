"""Writes a file that the operator asked for, which only its owner can read."""

from pathlib import Path

from app.core.durable import replace_durably
from app.domain.errors import OperationalError
from app.domain.reasons import reason_of


def write_private(path: Path, data: bytes, refusal: type[OperationalError]) -> None:
    """Write a file that only this user can read, whole or not at all. Thread: any.

    Args:
        path: of the file, which is replaced where it is there.
        data: what it holds.
        refusal: the error with the parameters ``path`` and ``detail``.

    Raises:
        OperationalError: of the kind ``refusal``; the system refused.
    """
    try:
        replace_durably(path, data)
    except OSError as error:
        raise refusal(path=path, detail=reason_of(error)) from error
