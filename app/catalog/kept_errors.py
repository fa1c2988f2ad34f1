"""How an error is kept in a column: templates and parameters as an array, or parameters only in old rows."""

from typing import Final

import msgspec

from app.domain.errors import KeptError
from app.domain.messages import Param

_Form = tuple[str, str, bool, dict[str, Param]]
"""Template, template of the hint, whether another try may help, parameters."""
_decoder: Final = msgspec.json.Decoder(_Form | dict[str, Param])


def pack_error(error: KeptError | None) -> str | None:
    """Turn an error into what is kept of it, next to its code."""
    if error is None:
        return None
    params = dict(error.params)
    kept = (error.template, error.hint_template, error.retryable, params) if error.template else params
    return msgspec.json.encode(kept).decode()


def unpack_error(code: str | None, text: str | None) -> KeptError | None:
    """Turn a kept error back; None where there is no code."""
    if code is None:
        return None
    kept = _decoder.decode(text) if text else {}
    if isinstance(kept, dict):
        return KeptError(code=code, params=tuple(sorted(kept.items())))
    template, hint_template, retryable, params = kept
    return KeptError(
        code=code,
        template=template,
        hint_template=hint_template,
        retryable=retryable,
        params=tuple(sorted(params.items())),
    )
