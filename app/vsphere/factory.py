"""Logging in to vSphere platforms."""

from app.core.clock import Clock
from app.domain.platforms import Platform
from app.vsphere.hypervisor import VSphereHypervisor
from app.vsphere.session import SessionOptions, VSphereSession
from app.vsphere.snapshots import SnapshotTimings


class VSphereFactory:
    """Fulfils ``app.core.hypervisor.HypervisorFactory``. Thread: any."""

    def __init__(
        self,
        clock: Clock,
        *,
        options: SessionOptions | None = None,
        timings: SnapshotTimings | None = None,
    ) -> None:
        self._clock = clock
        self._options = options
        self._timings = timings

    def connect(self, platform: Platform, password: str) -> VSphereHypervisor:
        """Log in.

        Raises:
            PlatformUnreachable, LoginRefused, CertificateChanged, CertificateUntrusted, NotVSphere: as they say.
        """
        session = VSphereSession(platform, password, clock=self._clock, options=self._options)
        facts = session.open()
        return VSphereHypervisor(session, facts, timings=self._timings)
