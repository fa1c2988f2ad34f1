"""How an engine is reached, whichever client does it: how long is waited, and what keeps it from being reached."""

from typing import Final

from app import __version__
from app.contract.errors import EngineAway, EngineVersionDiffers
from app.contract.handshake import OtherVersion
from app.contract.reasons import NO_ANSWER, NOT_LET_IN
from app.domain.errors import OperationalError
from app.domain.reasons import reason_of

CONNECT_S: Final = 5.0
PING_S: Final = 10.0
SILENCE_S: Final = 25.0
"""An engine that does not answer a request or a ping for this time is away."""
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0


def not_connected(error: OperationalError | OSError) -> OperationalError:
    """Return why there is no connection: what its file says, or that nothing answers at its address."""
    return (
        error
        if isinstance(error, OperationalError)
        else EngineAway(detail=NO_ANSWER.fill(reason=reason_of(error)))
    )


def not_let_in(error: Exception) -> OperationalError:
    """Return why the handshake over a connection did not succeed."""
    if isinstance(error, OtherVersion):
        return EngineVersionDiffers(ours=__version__, theirs=error.version)
    return EngineAway(detail=NOT_LET_IN.fill(details=str(error) or type(error).__name__))
