"""Logins for VMware's own library, over a platform whose certificate was verified."""

import hashlib

from app.core.access import VddkLogin
from app.domain.ids import VmId
from app.domain.platforms import PlatformKind
from app.vsphere.certificates import CONNECT_TIMEOUT_S, in_pairs
from app.vsphere.faults import translated
from app.vsphere.session import VSphereSession
from app.vsphere.words import Operation


class VSphereVddk:
    """Gives out logins; fulfils ``VddkLogins``. Thread: any."""

    def __init__(self, session: VSphereSession, kind: PlatformKind) -> None:
        self._session = session
        self._kind = kind

    def vddk_login(self, vm: VmId) -> VddkLogin:
        """Return how to log in for one VM.

        The library compares the SHA-1 thumbprint of the certificate. It is taken from a connection on which the
        certificate was verified as always, by the SHA-256 one that the operator confirmed or by an authority.

        Raises:
            PlatformUnreachable, CertificateChanged, CertificateUntrusted: as they say.
        """
        platform = self._session.platform
        with translated(self._session.attempt(Operation.OPEN_DISK, str(vm))):
            certificate = self._session.through(self._verified_certificate)
        return VddkLogin(
            server=platform.address,
            port=platform.port,
            user=platform.user,
            password=self._session.password,
            thumbprint_sha1=in_pairs(hashlib.sha1(certificate, usedforsecurity=False).hexdigest().upper()),
            vm=f"moref={vm}",
            holds_vms=self._kind is PlatformKind.VCENTER,
        )

    def _verified_certificate(self) -> bytes:
        endpoint = self._session.endpoint
        connection = endpoint.connection(endpoint.context(), read_timeout_s=CONNECT_TIMEOUT_S)
        try:
            connection.connect()
            return connection.sock.getpeercert(binary_form=True) or b""
        finally:
            connection.close()
