"""The order of ways to a platform's disks, and the probe of each."""

from pathlib import Path

import pytest

from app.contract.platforms import ListPlatforms
from app.contract.transports import ProbeTransports, SetTransports
from app.domain.states import TransportMode
from app.domain.transports import BEST_FIRST, LAN_FREE, modes_to_try, whole_order
from app.engine.platforms.errors import NothingToProbe
from tests.support.engine_lab import EngineLab

NFC, NFS, SAN, HTTPS = TransportMode.NFC, TransportMode.NFS, TransportMode.SAN, TransportMode.HTTPS


def test_lan_free_modes_come_first_where_they_are_wanted_and_never_where_not() -> None:
    order = (HTTPS, NFS, NFC)
    wanted, unwanted = modes_to_try(order, lan_free=True), modes_to_try(order, lan_free=False)
    assert wanted[:3] == (NFS, SAN, TransportMode.HOTADD)
    assert wanted[3:] == unwanted
    assert unwanted == (HTTPS, NFC, TransportMode.NFC_SSL)
    assert not LAN_FREE.intersection(unwanted)


def test_an_order_always_names_every_mode_once() -> None:
    assert whole_order(()) == BEST_FIRST
    assert whole_order((NFC, NFC, TransportMode.LOCAL)) == (NFC, *(mode for mode in BEST_FIRST if mode is not NFC))


def test_a_chosen_order_is_kept(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        lab.engine.execute(SetTransports(platform=lab.platform, transports=(HTTPS, NFS)))
    with EngineLab(tmp_path) as lab:
        [platform] = lab.engine.ask(ListPlatforms())
        assert platform.transports[:3] == (HTTPS, NFS, SAN)
        assert set(platform.transports) == set(BEST_FIRST)


def test_every_mode_is_tried_on_a_disk_that_nobody_writes_to(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        lab.host.add_vm("running", [4 << 20], powered_on=True)
        still = lab.host.add_vm("still", [4 << 20], powered_on=False)
        probed = lab.engine.ask(ProbeTransports(platform=lab.platform))
        assert probed.vm_name == "still"
        assert [one.mode for one in probed.modes] == list(BEST_FIRST)
        assert all(one.error is None and one.bytes_per_s for one in probed.modes)
        assert lab.engine.ask(ProbeTransports(platform=lab.platform, vm=still)).modes


def test_a_frozen_disk_will_do_and_a_running_one_will_not(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        vm = lab.host.add_vm("running", [4 << 20], powered_on=True)
        for query in (ProbeTransports(platform=lab.platform), ProbeTransports(platform=lab.platform, vm=vm)):
            with pytest.raises(NothingToProbe):
                lab.engine.ask(query)
        lab.host.take_snapshot(vm, "of somebody")
        assert lab.engine.ask(ProbeTransports(platform=lab.platform)).vm_name == "running"
        assert not lab.host.our_snapshots()
