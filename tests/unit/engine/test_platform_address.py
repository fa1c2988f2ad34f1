"""Addresses of platforms that cannot be one: refused with the address in the sentence, whichever way they come."""

import re
from pathlib import Path

import pytest

from app.contract.platforms import InspectServer, RegisterPlatform, TryPlatform
from app.domain.errors import PlatformUnreachable
from app.engine.doctor.platform import probe_port
from app.engine.errors import AddressLinkLocal, AddressUnusable
from app.engine.platforms.registration import checked_address
from app.vsphere.certificates import fetch_certificate
from tests.support.engine_lab import EngineLab
from tests.support.local_hypervisor import PASSWORD

BAD = [
    ".example",
    "a..b",
    "a" * 70,
    "a" * 63 + "." + "b" * 300,
    "vc 1",
    "https://vc",
    "vc/path",
    "me@vc",
    "\u202evc",
]


@pytest.mark.parametrize("address", BAD)
def test_an_address_that_is_none_is_refused_before_anything_is_asked(tmp_path: Path, address: str) -> None:
    with EngineLab(tmp_path) as lab:
        with pytest.raises(AddressUnusable):
            lab.engine.ask(InspectServer(address=address, port=443))
        with pytest.raises(AddressUnusable):
            lab.engine.ask(TryPlatform(address=address, port=443, user="root", password=PASSWORD))
        with pytest.raises(AddressUnusable) as caught:
            lab.engine.execute(RegisterPlatform(name="n", address=address, user="root", password=PASSWORD))
        assert address in caught.value.message


@pytest.mark.parametrize("port", [0, -1, 65536, 99999])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: int) -> None:
    with EngineLab(tmp_path) as lab, pytest.raises(AddressUnusable):
        lab.engine.execute(RegisterPlatform(name="n", address="vc", port=port, user="root", password=PASSWORD))


@pytest.mark.parametrize("address", [".example", "a" * 70])
def test_a_name_that_was_kept_by_an_earlier_version_is_unreachable_and_no_bug(address: str) -> None:
    with pytest.raises(PlatformUnreachable):
        fetch_certificate(address)
    assert probe_port(address, 902)


@pytest.mark.parametrize("address", ["fe80::1", "[fe80::1%eth0]"])
def test_an_address_of_one_interface_is_refused_with_its_reason(tmp_path: Path, address: str) -> None:
    with EngineLab(tmp_path) as lab, pytest.raises(AddressLinkLocal, match="one network only"):
        lab.engine.ask(InspectServer(address=address, port=443))


def test_an_ipv6_address_is_the_same_with_and_without_brackets(tmp_path: Path) -> None:
    assert checked_address("[2001:DB8::0:1]", 443) == checked_address("2001:db8::1", 443) == "2001:db8::1"
    with pytest.raises(AddressUnusable, match=re.escape("[2001:db8::1::]:443")):
        checked_address("2001:db8::1::", 443)
