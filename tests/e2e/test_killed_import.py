"""An import is killed with SIGKILL: what is here is as it was, or as the file says, and never between."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli.demo.stage import open_host
from app.contract.moving import ExportConfiguration, ImportConfiguration, PlanImport
from app.contract.notifications import ReadNotifications, SetNotifications
from app.contract.platforms import ListPlatforms
from app.contract.rules import ListRules
from app.contract.standbys import ListStandbys
from app.domain.ids import PlatformId, RuleId, StandbyId, VmId
from app.domain.moving import ItemState
from app.domain.notifications import NotificationSettings
from app.domain.platforms import Platform
from app.domain.policies import PeriodicPolicy
from app.domain.rules import BackupRule, ProtectedVm
from app.domain.standbys import Standby
from app.engine.engine import Engine
from tests.support.import_process import PASSPHRASE, SECRET, STEPS
from tests.support.rule_lab import daily

ROOT = Path(__file__).parents[2]
PLATFORM = Platform(
    id=PlatformId("11111111-0000-0000-0000-000000000001"),
    name="vCenter",
    address="vc.example",
    user="backup",
    thumbprint_sha256=":".join(["AB"] * 32),
)
NEW_PLATFORM = replace(PLATFORM, id=PlatformId("11111111-0000-0000-0000-000000000002"), name="ESXi", address="esx")
STANDBY = Standby(id=StandbyId("22222222-0000-0000-0000-000000000001"), name="nas", root_path="/mnt/nas", mark="m")
RULE = BackupRule(
    id=RuleId("33333333-0000-0000-0000-000000000001"),
    name="nightly",
    platform=NEW_PLATFORM.id,
    standby=STANDBY.id,
    target_path="vm",
    vms=(ProtectedVm(vm=VmId("vm-1"), name="web-01", is_started=False),),
    policy=PeriodicPolicy(plans=(daily("03:30"),)),
)
MAIL = NotificationSettings(desktop=False)


def exported(home: Path) -> bytes:
    """Return the configuration of a workstation with two platforms, a standby, a rule and other notifications."""
    with open_host(home, SECRET) as host:
        engine = host.engine
        catalog = engine.services.catalog
        for platform in (replace(PLATFORM, user="other"), NEW_PLATFORM):
            catalog.platforms.put(platform)
            engine.services.sessions.secrets.set(platform.secret_name, f"secret of {platform.name}")
        catalog.standbys.put(STANDBY)
        now = engine.services.clock.now()
        catalog.rules.add(RULE, now, now)
        engine.execute(SetNotifications(settings=MAIL))
        return engine.execute(ExportConfiguration(passphrase=PASSPHRASE)).content


def state(engine: Engine) -> tuple[object, ...]:
    """Return all that an import changes but secrets."""
    rules = tuple(row.name for row in engine.ask(ListRules()))
    notifications = engine.ask(ReadNotifications()).settings
    return engine.ask(ListPlatforms()), engine.ask(ListStandbys()), rules, notifications


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.allows_log("/mnt/nas", "cannot be reached")
def test_a_killed_import_is_whole_or_nothing_and_can_be_repeated(tmp_path: Path, step: str) -> None:
    file = tmp_path / "house.json"
    file.write_bytes(exported(tmp_path / "old"))
    home = tmp_path / "new"
    with open_host(home, SECRET) as host:
        host.engine.services.catalog.platforms.put(PLATFORM)
        host.engine.services.sessions.secrets.set(PLATFORM.secret_name, "known here")
        before = state(host.engine)

    command = [sys.executable, "-m", "tests.support.import_process", str(home), str(file), step]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert killed.returncode == -9, killed.stderr.decode()

    with open_host(home, SECRET) as host:
        engine, secrets = host.engine, host.engine.services.sessions.secrets
        after = state(engine)
        whole = (
            (NEW_PLATFORM, replace(PLATFORM, user="other")),
            (STANDBY,),
            (RULE.name,),
            MAIL,
        )
        assert after == (whole if step == "committed" else before)
        assert secrets.get(PLATFORM.secret_name) == "known here"

        content = file.read_bytes()
        engine.execute(ImportConfiguration(content=content, passphrase=PASSPHRASE))
        assert secrets.get(NEW_PLATFORM.secret_name) == "secret of ESXi"
        left = engine.ask(PlanImport(content=content, passphrase=PASSPHRASE)).items
        different = [item.name for item in left if item.state is not ItemState.SAME]
        assert different == ([] if step == "committed" else ["vCenter"])
