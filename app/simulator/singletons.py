"""Makes the managed objects that exist once and that every client meets first."""

from app.simulator.authorization import SimAuthorizationManager
from app.simulator.content import SimServiceInstance
from app.simulator.history import SimEventManager, SimTaskManager
from app.simulator.licenses import SimLicenseManager
from app.simulator.properties.collector import SimPropertyCollector
from app.simulator.search import SimSearchIndex
from app.simulator.session_manager import SimSessionManager
from app.simulator.views import SimViewManager
from app.simulator.wellknown import well_known
from app.simulator.world import World


def add_singletons(world: World) -> None:
    """Add the ServiceInstance and the managers; ``build_inventory`` adds those of the inventory."""
    ids = well_known(world.spec.flavour)
    world.add(SimServiceInstance(world))
    world.add(SimSessionManager(world, ids.sessionManager))
    world.add(SimPropertyCollector(world, ids.propertyCollector))
    world.add(SimViewManager(world, ids.viewManager))
    world.add(SimSearchIndex(world, ids.searchIndex))
    world.add(SimAuthorizationManager(world, ids.authorizationManager))
    world.add(SimLicenseManager(world, ids.licenseManager))
    world.add(SimEventManager(world, ids.eventManager))
    world.add(SimTaskManager(world, ids.taskManager))
