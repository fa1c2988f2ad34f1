"""Logging in to vSphere platforms."""

from dataclasses import replace

from app.core.clock import Clock
from app.domain.platforms import Platform, ServerCertificate
from app.vsphere.certificates import fetch_certificate
from app.vsphere.hypervisor import VSphereHypervisor
from app.vsphere.own_sessions import SessionMark, end_left_behind
from app.vsphere.session import SessionOptions, VSphereSession
from app.vsphere.snapshots import SnapshotTimings


class VSphereFactory:
    """Fulfils ``HypervisorFactory`` and ``CertificateSource`` of ``app.core.hypervisor``. Thread: any."""

    def __init__(
        self,
        clock: Clock,
        *,
        options: SessionOptions | None = None,
        timings: SnapshotTimings | None = None,
        mark: SessionMark | None = None,
    ) -> None:
        """Prepare.

        Args:
            clock: the time.
            options: time limits of sessions.
            timings: time limits of snapshots.
            mark: by which sessions of this installation are known; what earlier runs left is ended with the first
                login to each platform. None ends nothing.
        """
        self._clock = clock
        self._options = (
            options if mark is None else replace(options or SessionOptions(), user_agent=mark.user_agent)
        )
        self._timings = timings
        self._mark = mark
        self._tidied: set[tuple[str, int]] = set()

    def connect(self, platform: Platform, password: str) -> VSphereHypervisor:
        """Log in.

        Raises:
            PlatformUnreachable, LoginRefused, CertificateChanged, CertificateUntrusted, NotVSphere: as they say.
        """
        session = VSphereSession(platform, password, clock=self._clock, options=self._options)
        facts = session.open()
        place = platform.address, platform.port
        if self._mark is not None and place not in self._tidied:
            self._tidied.add(place)
            end_left_behind(session, self._mark)
        return VSphereHypervisor(session, facts, timings=self._timings)

    def inspect(self, address: str, port: int) -> ServerCertificate:
        """Return the certificate that a server shows, sending nothing but a TLS handshake.

        Raises:
            PlatformUnreachable: nothing answers there, or not with TLS.
        """
        shown = fetch_certificate(address, port)
        return ServerCertificate(
            thumbprint_sha256=shown.thumbprint_sha256,
            subject=shown.subject,
            issuer=shown.issuer,
            not_before=shown.valid_from,
            not_after=shown.valid_until,
            trusted_by_ca=shown.trusted,
        )
