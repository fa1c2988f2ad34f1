"""Registered standby machines by their id."""

from app.domain.ids import StandbyId
from app.domain.standbys import Standby
from app.engine.errors import StandbyUnknown
from app.engine.ports import StandbyStore


def registered_standby(standbys: StandbyStore, standby: StandbyId) -> Standby:
    """Return a registered standby machine.

    Raises:
        StandbyUnknown: no standby has that id.
    """
    known = standbys.get(standby)
    if known is None:
        raise StandbyUnknown(standby=standby)
    return known
