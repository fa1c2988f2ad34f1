"""A configuration that is compared, and a console that is gone, for the tests of the dialogs."""

from dataclasses import replace
from datetime import UTC, datetime

from app.contract.moving import FoundConsole, FoundRule, ImportItem, ImportPlan
from app.domain.moving import ItemChoice, ItemKind, ItemState
from app.engine.moving.reasons import NEEDS_PLATFORM

CONTENT = b'{"format":"standfast-configuration"}'
PLATFORM = ImportItem(
    kind=ItemKind.PLATFORM,
    key="p1",
    name="vc-prod",
    about="vc.example",
    state=ItemState.DIFFERS,
    known_id="p9",
    known_name="vCenter",
    differences=("user", "thumbprint_sha256"),
    choices=(ItemChoice.REPLACE, ItemChoice.SKIP),
)
STANDBY = ImportItem(
    kind=ItemKind.STANDBY, key="s1", name="nas", about="/mnt/nas", state=ItemState.SAME, known_id="s1"
)
RULE = ImportItem(
    kind=ItemKind.RULE,
    key="r1",
    name="nightly",
    about="web-01, db-01",
    state=ItemState.NEW,
    choices=(ItemChoice.ADD, ItemChoice.SKIP),
    chosen=ItemChoice.ADD,
    becomes="nightly",
)
REFUSED = ImportItem(
    kind=ItemKind.RULE,
    key="r2",
    name="weekly",
    about="mail-01",
    state=ItemState.REFUSED,
    problem=NEEDS_PLATFORM.fill(name="esx-old"),
)
PLAN = ImportPlan(
    made_at=datetime(2026, 3, 2, 8, 0, tzinfo=UTC),
    program="0.1.0",
    host="old-console",
    has_secrets=True,
    secrets_open=False,
    items=(PLATFORM, STANDBY, RULE, REFUSED),
)
OPEN = replace(PLAN, secrets_open=True)
FOUND = FoundRule(
    name="nightly",
    target_path="vm",
    vms=("web-01", "db-01"),
    platform_address="vc.example",
    platform_name="vCenter",
    points=42,
    newest=datetime(2026, 3, 2, 3, 30, tzinfo=UTC),
    is_defined=True,
)
LOST = FoundConsole(
    console="ab" * 10,
    host="old-console",
    seen_at=datetime(2026, 3, 2, 3, 30, tzinfo=UTC),
    is_at_work=False,
    taken_by="",
    rules=(FOUND, replace(FOUND, name="weekly", platform_address="esx.example", platform_name=None)),
)
LOOSE = replace(LOST, console="", host="", seen_at=None, rules=(replace(FOUND, is_defined=False),))
