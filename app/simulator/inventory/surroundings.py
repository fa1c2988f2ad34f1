"""What hosts, compute resources and datacenters ask about the inventory that they are part of."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.simulator.inventory.datastore import Datastore
from app.simulator.inventory.network import Network
from app.simulator.objects import SimObject


class Surroundings(Protocol):
    """The inventory as the entities in it see it; ``Inventory`` fulfils it. Guarded by the world's lock."""

    @property
    def datastores(self) -> Mapping[str, Datastore]:
        """All datastores, by the names under which the simulator keeps them."""
        ...

    def datastores_near(self, entity: SimObject) -> Sequence[Datastore]:
        """Return the datastores of the datacenter that an entity is in."""
        ...

    def networks_near(self, entity: SimObject) -> Sequence[Network]:
        """Return the networks of the datacenter that an entity is in."""
        ...
