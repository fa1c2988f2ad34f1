"""Logging in: pinned certificates, refusals, expiry, and nothing left open."""

import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.core.clock import SystemClock
from app.core.hypervisor import Hypervisor, HypervisorFactory, ResettableTracking
from app.domain.errors import CertificateChanged, LoginRefused, OperationalError, PlatformUnreachable
from app.domain.platforms import PlatformKind
from app.vsphere.certificates import fetch_certificate
from app.vsphere.errors import CertificateUntrusted
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from app.vsphere.session import Connection, SessionOptions, VSphereSession, require_login
from tests.contract.vsphere.platforms import Target
from tests.support.waiting import free_port, wait_until


def test_adapter_fulfils_the_ports_of_the_core(vsphere: VSphereHypervisor) -> None:
    factory: HypervisorFactory = VSphereFactory(SystemClock())
    hypervisor: Hypervisor = vsphere
    assert factory is not None
    assert isinstance(hypervisor, ResettableTracking)


def test_login_returns_what_the_platform_is(vsphere: VSphereHypervisor) -> None:
    assert vsphere.facts.kind is PlatformKind.VCENTER
    assert vsphere.facts.version
    assert vsphere.facts.instance_uuid


def test_wrong_password_is_refused_and_never_shown(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(LoginRefused) as refusal:
        VSphereFactory(SystemClock()).connect(target.platform, "not-the-password")
    assert refusal.value.__cause__ is not None
    assert "not-the-password" not in f"{refusal.value!s} {refusal.value.params} {caplog.text}"


def test_another_certificate_stops_the_login_before_anything_is_sent(target: Target) -> None:
    platform = replace(target.platform, thumbprint_sha256=":".join(["AB"] * 32))
    with pytest.raises(CertificateChanged) as change:
        VSphereFactory(SystemClock()).connect(platform, target.password)
    assert change.value.params["actual"] == target.platform.thumbprint_sha256


def test_certificate_that_no_authority_signed_is_refused_without_a_thumbprint(target: Target) -> None:
    with pytest.raises(CertificateUntrusted):
        VSphereFactory(SystemClock()).connect(replace(target.platform, thumbprint_sha256=None), target.password)


def test_thumbprint_may_be_written_in_any_way(target: Target) -> None:
    assert target.platform.thumbprint_sha256 is not None
    written = target.platform.thumbprint_sha256.replace(":", "").lower()
    platform = replace(target.platform, thumbprint_sha256=written)
    VSphereFactory(SystemClock()).connect(platform, target.password).close()


def test_certificate_can_be_looked_at_before_it_is_trusted(target: Target) -> None:
    facts = fetch_certificate(target.platform.address, target.platform.port)
    assert facts.thumbprint_sha256 == target.platform.thumbprint_sha256
    assert facts.valid_from < SystemClock().now() < facts.valid_until
    assert facts.subject.startswith("CN=")
    assert not facts.trusted


def test_a_silent_address_is_reported(target: Target) -> None:
    platform = replace(target.platform, port=free_port())
    with pytest.raises(PlatformUnreachable) as unreachable:
        VSphereFactory(SystemClock()).connect(platform, target.password)
    assert str(platform.port) in unreachable.value.hint


def test_server_that_never_answers_is_given_up(target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        platform = replace(target.platform, port=silent.getsockname()[1])
        options = SessionOptions(connect_timeout_s=0.2)
        with pytest.raises(PlatformUnreachable):
            VSphereFactory(SystemClock(), options=options).connect(platform, target.password)


def test_expired_session_is_replaced_and_the_read_done_again(target: Target) -> None:
    session = VSphereSession(target.platform, target.password, clock=SystemClock())
    session.open()
    try:
        first = session.cookie()
        session.run(lambda connection: connection.content.sessionManager.Logout())
        tried: list[int] = []

        def read_something(connection: Connection) -> None:
            tried.append(connection.generation)
            require_login(connection)

        session.run(read_something)
        assert tried == [1, 2]
        assert session.cookie() != first
    finally:
        session.close()


def test_many_threads_that_find_the_session_expired_log_in_once(target: Target) -> None:
    session = VSphereSession(target.platform, target.password, clock=SystemClock())
    session.open()
    try:
        session.run(lambda connection: connection.content.sessionManager.Logout())
        with ThreadPoolExecutor(8) as pool:
            generations = set(pool.map(lambda _: session.run(_generation_after_a_call), range(32)))
        assert generations == {2}
    finally:
        session.close()


def test_idle_session_is_kept_alive_and_replaced_when_it_was_lost(target: Target) -> None:
    session = VSphereSession(
        target.platform, target.password, clock=SystemClock(), options=SessionOptions(keep_alive_s=0.05)
    )
    session.open()
    try:
        session.run(lambda connection: connection.content.sessionManager.Logout())
        wait_until(lambda: session.current().generation == 2, what="the keep-alive's new login")
    finally:
        session.close()


def test_closed_session_refuses_to_work(target: Target) -> None:
    vsphere = VSphereFactory(SystemClock()).connect(target.platform, target.password)
    vsphere.close()
    vsphere.close()
    with pytest.raises(OperationalError, match="closed"):
        vsphere.list_vms()


def test_secrets_are_in_no_representation(target: Target) -> None:
    session = VSphereSession(target.platform, target.password, clock=SystemClock())
    session.open()
    try:
        cookie = session.cookie()
        text = f"{session!r} {session.current()!r} {session.endpoint!r}"
    finally:
        session.close()
    assert target.password not in text
    assert cookie.partition("=")[2].strip('"') not in text


def _generation_after_a_call(connection: Connection) -> int:
    require_login(connection)
    return connection.generation
