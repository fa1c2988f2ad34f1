"""What is seen before and after registering: certificates, lists, directories, the doctor's findings."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from app.contract.doctor import ExaminePlatform, ExamineRule, Finding, ReportPlatform, Severity
from app.contract.errors import ErrorRow
from app.contract.platforms import (
    InspectServer,
    ListPlatformRows,
    ListPlatforms,
    ListVms,
    ProbePlatform,
    RegisterPlatform,
    TryPlatform,
    UpdatePlatform,
)
from app.contract.points import ListPoints, RefreshPoints
from app.contract.standbys import (
    BrowseLocal,
    BrowseStandby,
    ListStandbyRows,
    RegisterStandby,
    RemoveStandby,
    UpdateStandby,
)
from app.contract.transports import ProbedMode
from app.core.access import DiskAddress
from app.core.clock import SystemClock
from app.core.hypervisor import Hypervisor
from app.domain.errors import (
    LicenseRefused,
    NoTransportAvailable,
    OperationalError,
    PlatformUnreachable,
    StandbyUnavailable,
)
from app.domain.identity import recorded_protected
from app.domain.messages import listed, sentence
from app.domain.platforms import Platform, PlatformIdentity, PrivilegeCheck, WithoutPrivilege
from app.domain.reasons import REFUSED
from app.domain.rules import AdvancedSettings
from app.domain.standbys import TargetPathRefused, normal_target_path
from app.domain.states import TransportMode
from app.engine.doctor.platform import Looks, PortProbe, Resolve, examine_platform
from app.engine.doctor.report import blurred as blurred_text
from app.engine.doctor.report import pseudonyms
from app.engine.doctor.rule import examine_rule
from app.engine.doctor.ways import Try
from app.engine.errors import (
    AlreadyRegistered,
    StandbyCopied,
)
from app.engine.rules.drafts import rule_of
from app.engine.standbys.filesystems import read_mark
from app.repository import Repository
from app.transport.messages import VDDK_NOT_INSTALLED
from tests.support.local_hypervisor import PASSWORD
from tests.support.platforms import posix_only
from tests.support.rule_lab import MORNING, RuleLab, local, once


def codes(findings: tuple[Finding, ...], *severities: Severity) -> set[str]:
    return {finding.code for finding in findings if not severities or finding.severity in severities}


def text(finding: Finding) -> str:
    return sentence(f"{finding.message} {finding.hint}".strip(), finding.params)


# --- platforms ---------------------------------------------------------------------------------------------------


def test_a_certificate_can_be_seen_and_an_account_tried_before_registering(lab: RuleLab) -> None:
    shown = lab.engine.ask(InspectServer(address=lab.host.address))
    assert shown.thumbprint_sha256.count(":") == 31
    with pytest.raises(PlatformUnreachable):
        lab.engine.ask(InspectServer(address="nowhere"))
    tried = TryPlatform(address=lab.host.address, user="root", password=PASSWORD)
    assert lab.engine.ask(tried).full_name == "Local files 1.0"
    assert PASSWORD not in repr(tried)
    with pytest.raises(OperationalError):
        lab.engine.ask(TryPlatform(address=lab.host.address, user="root", password="wrong"))
    assert len(lab.engine.ask(ListPlatforms())) == 1


def test_the_list_of_platforms_shows_what_was_last_seen_and_asks_nobody(lab: RuleLab) -> None:
    lab.host.add_vm("web")
    lab.rule(lab.host.add_vm("db"))
    lab.engine.ask(ListVms(platform=lab.platform))
    lab.engine.ask(ProbePlatform(platform=lab.platform))
    sessions = len(lab.factory.sessions)
    (row,) = lab.engine.ask(ListPlatformRows())
    assert len(lab.factory.sessions) == sessions
    assert (row.reachable, row.vm_count, row.rule_count) == (True, 2, 1)
    assert row.license_name == "Local files licence"
    assert row.facts is not None
    assert row.checked_at == MORNING
    lab.host.faults.unreachable = True
    with pytest.raises(PlatformUnreachable):
        lab.engine.ask(ProbePlatform(platform=lab.platform))
    (row,) = lab.engine.ask(ListPlatformRows())
    assert (row.reachable, row.vm_count) == (False, 2)
    assert row.error is not None
    assert row.error.code == "platform.unreachable"


def test_a_licence_that_allows_no_backups_is_told_at_once(lab: RuleLab) -> None:
    lab.host.faults.refuse_license = True
    lab.factory.hosts["second"] = lab.host
    with pytest.raises(LicenseRefused):
        lab.engine.execute(RegisterPlatform(name="second", address="second", user="root", password=PASSWORD))
    assert len(lab.engine.ask(ListPlatforms())) == 1


# --- standby machines --------------------------------------------------------------------------------------------


def test_a_standby_shows_its_space_and_what_uses_it(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"), policy=once(local(8)))
    lab.tick()
    (row,) = lab.engine.ask(ListStandbyRows())
    assert (row.reachable, row.writable, row.error) == (True, True, None)
    assert (row.point_count, row.rule_count) == (1, 1)
    assert row.total_bytes is not None
    assert row.free_bytes is not None
    assert row.total_bytes >= row.free_bytes > 0


def test_a_standby_that_is_registered_again_brings_the_points_of_all_its_directories(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"), policy=once(local(8)), target_path="a/b")
    lab.rule(lab.host.add_vm("db"), name="other", policy=once(local(8)), target_path="c")
    lab.tick()
    points = {(known.target_path, known.point.id) for known in lab.catalog.points.find()}
    for rule in lab.catalog.rules.all():
        lab.catalog.rules.remove(rule.id)
    lab.engine.execute(RemoveStandby(standby=lab.standby))
    root = str(lab.directory / "standby")
    again = lab.engine.execute(RegisterStandby(name="again", root_path=root, note="2nd floor"))
    found = lab.engine.ask(ListPoints(standby=again.id))
    assert {(known.target_path, known.point.id) for known in found} == points


def test_a_standby_moves_to_another_path_only_with_its_directory(lab: RuleLab) -> None:
    root, moved = lab.directory / "standby", lab.directory / "moved"
    (lab.directory / "empty").mkdir()
    wrong = UpdateStandby(standby=lab.standby, name="s", root_path=str(lab.directory / "empty"))
    with pytest.raises(OperationalError, match="lacks"):
        lab.engine.execute(wrong)
    root.rename(moved)
    changed = lab.engine.execute(
        UpdateStandby(standby=lab.standby, name="new name", root_path=str(moved), note="moved")
    )
    assert (changed.name, changed.root_path, changed.note) == ("new name", str(moved), "moved")
    other = lab.engine.execute(RegisterStandby(name="other", root_path=str(lab.directory / "other")))
    with pytest.raises(AlreadyRegistered):
        lab.engine.execute(UpdateStandby(standby=other.id, name="x", root_path=str(moved)))


def test_directories_of_a_standby_are_browsed_and_nothing_above_it(lab: RuleLab) -> None:
    root = lab.directory / "standby"
    (root / "Backups" / "web").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / ".hidden").mkdir()
    (root / "file").write_text("")
    lab.rule(lab.host.add_vm("web"), policy=once(local(8)), target_path="Backups/web")
    lab.tick()
    top = lab.engine.ask(BrowseStandby(standby=lab.standby))
    assert [(folder.path, folder.has_children) for folder in top] == [("Backups", True), ("empty", False)]
    (inside,) = lab.engine.ask(BrowseStandby(standby=lab.standby, path="Backups"))
    assert (inside.name, inside.path, inside.is_repository) == ("web", "Backups/web", True)
    with pytest.raises(TargetPathRefused):
        lab.engine.ask(BrowseStandby(standby=lab.standby, path="../.."))
    with pytest.raises(OperationalError):
        lab.engine.ask(BrowseStandby(standby=lab.standby, path="none"))


def test_the_machine_is_browsed_from_its_roots(lab: RuleLab) -> None:
    roots = lab.engine.ask(BrowseLocal())
    assert all(Path(folder.path).is_absolute() for folder in roots)
    found = lab.engine.ask(BrowseLocal(path=lab.directory.as_posix()))
    assert (lab.directory / "standby").as_posix() in {folder.path for folder in found}
    with pytest.raises(OperationalError):
        lab.engine.ask(BrowseLocal(path="relative"))


@pytest.mark.parametrize(
    ("entered", "kept"), [("/", ""), (".", ""), ("a", "a"), ("/a//b/", "a/b"), (r"a\b", "a/b"), (" a/./b ", "a/b")]
)
def test_target_paths_are_kept_in_one_form(entered: str, kept: str) -> None:
    assert normal_target_path(entered) == kept


@pytest.mark.parametrize("entered", ["..", "a/../../b", "C:/x", "a\n/b", "a /b"])
def test_target_paths_that_lead_elsewhere_are_refused(entered: str) -> None:
    with pytest.raises(TargetPathRefused):
        normal_target_path(entered)


# --- the doctor --------------------------------------------------------------------------------------------------


def examined(
    lab: RuleLab,
    platform: Platform,
    probe: PortProbe = lambda _host, _port: None,
    resolve: Resolve = lambda _host: ("192.0.2.7",),
    trial: Try = lambda _session, _disk, mode: ProbedMode(mode=mode, bytes_per_s=1),
) -> tuple[Finding, ...]:
    looks = Looks(probe=probe, resolve=resolve, trial=trial, serving=lambda: None, now=SystemClock().now)
    return tuple(examine_platform(platform, lambda: lab.factory.connect(platform, PASSWORD), looks).findings)


def test_the_doctor_finds_a_healthy_platform_healthy(lab: RuleLab) -> None:
    lab.host.add_vm("web", powered_on=False)
    (platform,) = lab.engine.ask(ListPlatforms())
    findings = examined(lab, platform)
    assert codes(findings) == {
        "doctor.way_open",
        "doctor.login_works",
        "doctor.version_supported",
        "doctor.licence_fine",
        "doctor.can_back_up",
        "doctor.can_restore",
        "doctor.port_open",
    }
    assert codes(findings, Severity.OK) == codes(findings)
    assert all(text(finding) for finding in findings)


def lacking(privilege: str, without_it: WithoutPrivilege, *, for_restore: bool = True) -> PrivilegeCheck:
    return PrivilegeCheck(
        privilege=privilege,
        for_backup=not for_restore,
        for_restore=for_restore,
        is_granted=False,
        without_it=without_it,
    )


def test_the_doctor_names_each_missing_privilege_port_and_refusal(lab: RuleLab) -> None:
    lab.host.add_vm("web")
    lab.host.faults.refuse_license = True
    lab.host.privileges = (
        PrivilegeCheck(privilege="snap", for_backup=True, for_restore=False, is_granted=False),
        PrivilegeCheck(privilege="create", for_backup=False, for_restore=True, is_granted=False),
        lacking("cbt", WithoutPrivilege.WHOLE_DISKS, for_restore=False),
        lacking("mark", WithoutPrivilege.TEMPLATES_AS_VMS),
        lacking("assign", WithoutPrivilege.NOT_INTO_VAPPS),
        lacking("order", WithoutPrivilege.OTHER_VAPP_ORDER),
    )
    (platform,) = lab.engine.ask(ListPlatforms())
    findings = examined(lab, platform, probe=lambda *_: REFUSED.fill(), resolve=lambda _: REFUSED.fill())
    bad = {text(finding) for finding in findings if finding.severity in (Severity.WARNING, Severity.ERROR)}
    for word in (
        "snap: backups are not possible",
        "create: backups work",
        "cbt: every backup",
        "mark: templates are restored as VMs",
        "assign: VMs cannot be restored into their vApps",
        "order: restored VMs lose their place",
        "refused",
        "cannot be resolved",
        "licence",
    ):
        assert any(word in sentence for sentence in bad), word
    assert not codes(findings) & {"doctor.can_back_up", "doctor.can_restore"}


def closed(_session: Hypervisor, _disk: DiskAddress, mode: TransportMode) -> ProbedMode:
    reason = VDDK_NOT_INSTALLED.fill(mode=mode.name)
    return ProbedMode(mode=mode, error=ErrorRow.of(NoTransportAvailable(path="x", reasons=listed([reason]))))


def test_the_doctor_says_of_each_way_to_a_disk_whether_it_is_open(lab: RuleLab) -> None:
    (platform,) = lab.engine.ask(ListPlatforms())
    lab.host.add_vm("running")
    assert "doctor.no_still_disk" in codes(examined(lab, platform))
    lab.host.add_vm("still", powered_on=False)
    findings = examined(lab, platform, trial=closed)
    assert any("SAN is not used: it needs VMware's VDDK" in text(finding) for finding in findings)
    assert "doctor.no_way_open" in codes(findings, Severity.ERROR)


def test_a_report_tells_everything_and_no_name(lab: RuleLab) -> None:
    lab.host.add_vm("payroll-db", powered_on=False)
    (platform,) = lab.engine.ask(ListPlatforms())
    plain = lab.engine.ask(ReportPlatform(platform=platform.id, blurs_names=False))
    blurred = lab.engine.ask(ReportPlatform(platform=platform.id))
    assert "payroll-db" in plain
    assert platform.address in plain
    for part in ("doctor.way_open", "NFC_SSL: ", "Privileges of the account", "Standfast "):
        assert part in plain
        assert part in blurred
    for name in ("payroll-db", platform.address, PASSWORD):
        assert name not in blurred
    assert "vm-1" in blurred
    assert len(plain.splitlines()) == len(blurred.splitlines())


def test_names_are_blurred_whole_and_alike() -> None:
    names = pseudonyms(host=["esx01.lab", "esx01"], vm=["web", "web-01"])
    text = "web-01 on ESX01.lab, esx01 and web; webmail and x-web stay"
    assert blurred_text(text, names) == "vm-2 on host-2, host-1 and vm-1; webmail and x-web stay"


def test_the_doctor_says_that_only_hotadd_needs_a_privilege(lab: RuleLab) -> None:
    lab.host.add_vm("web")
    lab.host.privileges = (lacking("attach", WithoutPrivilege.NO_HOTADD, for_restore=False),)
    (platform,) = lab.engine.ask(ListPlatforms())
    findings = examined(lab, platform)
    (notice,) = [finding for finding in findings if finding.code == "doctor.privilege_hotadd"]
    assert notice.severity is Severity.NOTICE
    assert "attach: disks are not read and written by HotAdd" in text(notice)
    assert {"doctor.can_back_up", "doctor.can_restore"} <= codes(findings)


def test_plain_transport_is_off_until_it_is_allowed_and_then_named_by_the_doctor(lab: RuleLab) -> None:
    (platform,) = lab.engine.ask(ListPlatforms())
    assert not platform.allows_plain_transport
    assert "doctor.plain_transport_allowed" not in codes(lab.engine.ask(ExaminePlatform(platform=platform.id)))
    wish = UpdatePlatform(
        platform=platform.id, name=platform.name, user=platform.user, allows_plain_transport=True
    )
    assert lab.engine.execute(wish).allows_plain_transport
    found = lab.engine.ask(ExaminePlatform(platform=platform.id))
    assert "doctor.plain_transport_allowed" in codes(found, Severity.WARNING)
    kept = UpdatePlatform(platform=platform.id, name="renamed", user=platform.user)
    assert lab.engine.execute(kept).allows_plain_transport


def test_the_doctor_says_why_a_platform_does_not_answer(lab: RuleLab) -> None:
    lab.host.faults.unreachable = True
    (finding,) = lab.engine.ask(ExaminePlatform(platform=lab.platform))
    assert (finding.severity, finding.code) == (Severity.ERROR, "platform.unreachable")
    assert lab.host.address in text(finding)


def test_the_doctor_looks_at_every_vm_of_a_draft(lab: RuleLab) -> None:
    good, odd, old = lab.host.add_vm("good"), lab.host.add_vm("odd"), lab.host.add_vm("old")
    lab.host.vm(odd).disks[2000].unsupported_reason = "independent"
    lab.host.vm(old).tracking_supported = False
    lab.host.take_snapshot(good, "before the update")
    gone = lab.host.add_vm("gone")
    draft = lab.draft(good, odd, old, gone, advanced=AdvancedSettings(quiesce=True, lan_free=True))
    del lab.host.vms[gone]
    findings = lab.engine.ask(ExamineRule(draft=draft))
    by_vm = {
        name: {finding.code for finding in findings if finding.subject == name}
        for name in ("good", "odd", "old", "gone")
    }
    assert by_vm["good"] >= {"doctor.snapshots_there", "doctor.tracking_blocked", "doctor.quiesce_needs_tools"}
    assert by_vm["odd"] >= {"doctor.disk_left_out", "doctor.nothing_to_back_up", "doctor.tracking_will_be_on"}
    assert "doctor.tracking_unsupported" in by_vm["old"]
    assert by_vm["gone"] == {"vm.not_found"}
    assert {"doctor.lan_free_missing", "doctor.standby_fine"} <= codes(findings)


def test_the_doctor_measures_the_standby_against_the_disks(lab: RuleLab) -> None:
    vm = lab.host.add_vm("huge")
    draft = lab.draft(vm)
    lab.host.vm(vm).disks[2000] = replace(lab.host.vm(vm).disks[2000], capacity_bytes=1 << 60)
    (platform,) = lab.engine.ask(ListPlatforms())
    standby = lab.catalog.standbys.get(lab.standby)
    rule = rule_of(draft, lab.rule(lab.host.add_vm("other")), MORNING)
    findings = examine_rule(
        rule,
        lambda: lab.factory.connect(platform, PASSWORD),
        standby,
        lambda host, port: None,
        identity_of=lambda _: PlatformIdentity(address=platform.address),
        recorded_of=recorded_protected,
    )
    assert "doctor.standby_tight" in codes(findings, Severity.WARNING)


def test_the_doctor_says_when_nobody_switches_tracking_on(lab: RuleLab) -> None:
    rule = lab.rule(lab.host.add_vm("web"), advanced=AdvancedSettings(automatic_change_tracking=False))
    assert "doctor.tracking_stays_off" in codes(lab.engine.ask(ExamineRule(rule=rule)))


# --- copies of standby machines ----------------------------------------------------------------------------------


def test_a_copied_standby_is_recognized_and_gets_a_mark_of_its_own(lab: RuleLab, tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    first = lab.engine.execute(RegisterStandby(name="original", root_path=str(original)))
    shutil.copytree(original, copy)
    with pytest.raises(StandbyCopied, match="original"):
        lab.engine.execute(RegisterStandby(name="copy", root_path=str(copy)))
    assert read_mark(copy) == first.mark
    second = lab.engine.execute(RegisterStandby(name="copy", root_path=str(copy), new_identity=True))
    assert second.mark == read_mark(copy) != first.mark
    assert read_mark(original) == first.mark


@posix_only("making links needs a privilege on Windows")
def test_another_path_to_a_registered_root_is_no_second_standby(lab: RuleLab, tmp_path: Path) -> None:
    lab.engine.execute(RegisterStandby(name="disk", root_path=str(tmp_path / "disk")))
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    for wish in (False, True):
        with pytest.raises(AlreadyRegistered):
            lab.engine.execute(RegisterStandby(name="link", root_path=str(tmp_path / "link"), new_identity=wish))


def test_a_root_that_carries_another_mark_now_is_not_opened(lab: RuleLab, tmp_path: Path) -> None:
    standby = lab.engine.execute(RegisterStandby(name="disk", root_path=str(tmp_path / "disk")))
    with Repository.create(tmp_path / "disk" / "vms", local_dir=tmp_path / "elsewhere", clock=SystemClock()):
        pass
    lab.engine.execute(RefreshPoints(standby=standby.id, target_path="vms"))
    (tmp_path / "disk" / ".standfast-standby").write_text("another\n")
    with pytest.raises(StandbyUnavailable, match="another standby machine"):
        lab.engine.execute(RefreshPoints(standby=standby.id, target_path="vms"))
