"""A running simulator as a registered platform, and its files."""

from pathlib import Path

from app.domain.ids import PlatformId
from app.domain.platforms import Platform
from app.simulator.server import VSphereSimulator
from app.simulator.storage.places import StoredPath


def platform_of(simulator: VSphereSimulator) -> Platform:
    """Return how the console reaches a simulator, with its certificate confirmed."""
    return Platform(
        id=PlatformId("sim"),
        name="sim",
        address=simulator.host,
        port=simulator.port,
        user=simulator.user,
        thumbprint_sha256=simulator.thumbprint_sha256,
    )


def local(path: StoredPath) -> Path:
    """Return a path on a datastore that is a folder of this machine."""
    assert isinstance(path, Path)
    return path
