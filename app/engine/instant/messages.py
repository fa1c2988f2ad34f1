"""What instant recovery writes to the log."""

from typing import Final

from app.domain.messages import MessageKind

SERVED: Final = MessageKind("instant.served", "The restore point is served at {address} to the host {host}")
MOUNTED: Final = MessageKind("instant.mounted", "The host {host} has mounted it as the datastore {datastore}")
REGISTERED_AGAIN: Final = MessageKind("instant.registered_again", "{name} is in the inventory again")
RUNS: Final = MessageKind("instant.runs", "{name} runs from its restore point")
STANDBY_LOST: Final = MessageKind(
    "instant.standby_lost", "{name} runs from its restore point, and has trouble: {detail}"
)
STANDBY_BACK: Final = MessageKind("instant.standby_back", "{name} finds all that it reads and writes again")
TAKEN_AWAY: Final = MessageKind("instant.taken_away", "{name} was taken from the inventory")
VM_STAYS: Final = MessageKind(
    "instant.vm_stays", "{name} was moved to another datastore meanwhile: it stays where it is"
)
VM_GONE: Final = MessageKind("instant.vm_gone", "{name} is not on the platform any more")
UNMOUNTED: Final = MessageKind("instant.unmounted", "The datastore {datastore} was unmounted")
WRITES_KEPT: Final = MessageKind("instant.writes_kept", "What it wrote is kept at the standby machine")
WRITES_DELETED: Final = MessageKind("instant.writes_deleted", "What it wrote was deleted")
MOVES_LIVE: Final = MessageKind("instant.moves_live", "{name} moves to {datastore} while it runs")
MOVED: Final = MessageKind("instant.moved", "{name} is on {datastore} now")
IS_COPIED: Final = MessageKind("instant.is_copied", "{name} is powered off, and is copied to {datastore}")
DISK_COPIED: Final = MessageKind("instant.disk_copied", "{disk} copied: {bytes:size}")
DISK_COMPARED: Final = MessageKind("instant.disk_compared", "{disk} compared, and the same: {bytes:size}")
NOT_AS_IT_WAS: Final = MessageKind("instant.not_as_it_was", "Not as it was: {detail}")
STILL_HERE: Final = MessageKind(
    "instant.still_here", "The program ended while {name} was moved: it still runs from its restore point"
)
SETTLED_LATER: Final = MessageKind(
    "instant.settled_later", "What is left of the instant recovery of {name} could not be taken away: {detail}"
)
KEPT_AS_POINT: Final = MessageKind("instant.kept_as_point", "Kept as the restore point {point}")
COPY_TAKES_PLACE: Final = MessageKind("instant.copy_takes_place", "The copy has taken the place of {name}")
OWN_IDENTITY: Final = MessageKind(
    "instant.own_identity",
    "{name} has UUIDs and network addresses of its own: the program ended before they could be taken over",
)
