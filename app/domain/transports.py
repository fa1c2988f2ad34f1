"""Which transport modes a task tries, and in which order."""

from collections.abc import Iterable
from typing import Final

from app.domain.states import TransportMode

LAN_FREE: Final = frozenset({TransportMode.SAN, TransportMode.HOTADD, TransportMode.NFS})
"""Modes that read past the ESXi hosts' network."""
BEST_FIRST: Final = (
    TransportMode.SAN,
    TransportMode.HOTADD,
    TransportMode.NFS,
    TransportMode.NFC_SSL,
    TransportMode.NFC,
    TransportMode.HTTPS,
)
"""The modes that a platform's order is made of."""


def whole_order(chosen: Iterable[TransportMode]) -> tuple[TransportMode, ...]:
    """Return a platform's order with every mode in it: those that it does not name come last, the best first."""
    named = [mode for mode in dict.fromkeys(chosen) if mode in BEST_FIRST]
    return (*named, *(mode for mode in BEST_FIRST if mode not in named))


def modes_to_try(chosen: Iterable[TransportMode], *, lan_free: bool) -> tuple[TransportMode, ...]:
    """Return what a task tries: LAN-free modes first where they are wanted, and never where they are not.

    Args:
        chosen: the platform's order.
        lan_free: whether LAN-free modes are wanted.
    """
    order = whole_order(chosen)
    past = tuple(mode for mode in order if mode in LAN_FREE)
    return (*(past if lan_free else ()), *(mode for mode in order if mode not in LAN_FREE))
