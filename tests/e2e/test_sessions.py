"""Our own sessions on a platform: one for each task, logged out at its end, and ended after a kill."""

from pathlib import Path

import pytest

from app.catalog.errors import CatalogUnavailable
from app.cli.demo.stage import Stage, open_host, open_simulator, register
from app.contract.platforms import ListVms
from app.contract.restore import OverOriginal, StartRestore
from app.domain.states import BackupKind, TaskState
from app.engine.platforms.sightings import Sightings
from tests.support.stage import back_up, explain, finished, small_spec, vm_named

FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL


def logged_in(stage: Stage) -> int:
    return len(stage.simulator.world.sessions.all())


def test_backup_and_restore_need_one_session_and_leave_none(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    stage.simulator.world.sessions.limit = 1
    made = back_up(stage, vm, FULL)
    back_up(stage, vm, INCREMENTAL)
    task = stage.engine.execute(
        StartRestore(
            standby=stage.standby,
            point=made.point.id,
            platform=stage.platform,
            target=OverOriginal(),
            power_on=False,
        )
    )
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert logged_in(stage) == 0


def test_a_catalog_that_fails_at_the_login_leaves_no_session(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object, **_more: object) -> None:
        raise CatalogUnavailable(location="here", detail="the disk is full")

    monkeypatch.setattr(Sightings, "reached", fails)
    with pytest.raises(CatalogUnavailable):
        stage.engine.ask(ListVms(platform=stage.platform))
    assert logged_in(stage) == 0


def test_the_session_of_a_killed_engine_is_ended_by_the_next_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with open_simulator(tmp_path, small_spec()) as simulator:
        with open_host(home, "a passphrase") as host:
            stage = register(tmp_path, simulator, host.engine)
            left = host.engine.services.sessions.connect(stage.platform)
        (session,) = simulator.world.sessions.all()
        with open_host(home, "a passphrase") as host:
            host.engine.ask(ListVms(platform=stage.platform))
            assert session.closed
            (kept,) = simulator.world.sessions.all()
            assert kept is not session
        assert simulator.world.sessions.all() == []
        left.close()
