"""``config …`` and ``standby take-over``: moving to another workstation."""

from argparse import Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.cli.ctl.names import find, find_standby
from app.cli.ctl.screen import Screen
from app.cli.ctl.secrets import new_passphrase, secret
from app.cli.ctl.tasks import DONE, FAILED
from app.contract.door import Door
from app.contract.moving import (
    LONGEST_FILE_BYTES,
    ExportConfiguration,
    FoundConsole,
    ImportConfiguration,
    ImportItem,
    ImportPlan,
    InspectTakeOver,
    ItemDecision,
    PlanImport,
    TakeOver,
)
from app.core.durable import replace_durably
from app.domain.errors import OperationalError
from app.domain.moving import ItemChoice, ItemState
from app.domain.reasons import reason_of

_POINTS = "points"
"""What stands on the command line for restore points of which no console left its rules."""


class FileNotWritten(OperationalError):
    """The configuration was not written."""

    code = "ctl.file_not_written"
    message_template = "{path} was not written: {detail}."
    hint_template = "Choose a folder in which this user may write, with space."


class FileNotRead(OperationalError):
    """The configuration was not read."""

    code = "ctl.file_not_read"
    message_template = "{path} cannot be read: {detail}."
    hint_template = "Name the file that was written by config export."


# --- export and import -----------------------------------------------------------------------------------------


def export_configuration(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Write the whole configuration into a file that only its owner can read."""
    passphrase = new_passphrase() if chosen.with_secrets else None
    exported = door.execute(ExportConfiguration(passphrase=passphrase))
    path = Path(chosen.file)
    try:
        replace_durably(path, exported.content)
    except OSError as error:
        raise FileNotWritten(path=path, detail=reason_of(error)) from error
    figures = {
        "file": str(path),
        "platforms": exported.platforms,
        "standbys": exported.standbys,
        "rules": exported.rules,
        "secrets": exported.secrets,
    }
    screen.facts(
        [
            ("Written", path),
            ("Platforms", exported.platforms),
            ("Standby machines", exported.standbys),
            ("Rules", exported.rules),
            ("Passwords and keys", exported.secrets if chosen.with_secrets else "left out"),
        ],
        figures,
    )
    return DONE


def import_configuration(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show what an import would do; with ``--yes`` do it. 1 when nothing was imported."""
    content = _content(Path(chosen.file))
    passphrase = secret("Passphrase of the file: ") if chosen.with_secrets else None
    before = door.ask(PlanImport(content=content, passphrase=passphrase))
    decisions = tuple(_decisions(before, chosen))
    plan = door.ask(PlanImport(content=content, passphrase=passphrase, decisions=decisions))
    if not chosen.yes:
        _show(plan, screen)
        screen.remark("Nothing was changed. To import it like this: --yes")
        return FAILED
    report = door.execute(
        ImportConfiguration(content=content, passphrase=passphrase, decisions=decisions, stopped=chosen.stopped)
    )
    screen.facts(
        [
            ("Added", report.added),
            ("Replaced", report.replaced),
            ("Left as they are", report.skipped),
            ("Passwords and keys", report.secrets),
        ],
        report,
    )
    for name in report.without_password:
        screen.remark(f"The platform {name} has no password yet: enter it under Virtual platforms, Edit.")
    return DONE


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_FILE_BYTES + 1)
    except OSError as error:
        raise FileNotRead(path=path, detail=reason_of(error)) from error


def _decisions(plan: ImportPlan, chosen: Namespace) -> Iterator[ItemDecision]:
    for choice, names in (
        (ItemChoice.REPLACE, chosen.replace),
        (ItemChoice.RENAME, chosen.rename),
        (ItemChoice.SKIP, chosen.skip),
    ):
        for name in names:
            item = find("part of the configuration", name, plan.items, _keys)
            replaces = item.known_id if choice is ItemChoice.REPLACE else ""
            yield ItemDecision(kind=item.kind, key=item.key, choice=choice, replaces=replaces)


def _keys(item: ImportItem) -> tuple[str, ...]:
    kind = item.kind.value
    return (f"{kind}/{item.key}", f"{kind}/{item.name}") if item.key else (kind, f"{kind}/{item.name}")


def _show(plan: ImportPlan, screen: Screen) -> None:
    cells = (
        (
            item.kind.value,
            item.name,
            item.about,
            item.state.value,
            _deed(item),
            ", ".join(choice.value for choice in item.choices),
            item.problem if item.problem is not None else ", ".join(item.differences),
        )
        for item in plan.items
    )
    screen.table(("kind", "name", "is", "compared", "would be", "choices", "because"), cells, plan)
    if plan.has_secrets and not plan.secrets_open:
        screen.remark("The file holds passwords and keys; they are imported with --with-secrets only.")
    for item in plan.items:
        for command in item.commands:
            screen.remark(f"{item.kind.value} {item.name} runs around backups: {command}")


def _deed(item: ImportItem) -> str:
    if item.state is ItemState.SAME:
        return "left as it is"
    deeds = {
        ItemChoice.ADD: "added",
        ItemChoice.SKIP: "left out",
        ItemChoice.REPLACE: f"put in the place of {item.known_name or item.name}",
        ItemChoice.RENAME: f"added as {item.becomes}",
    }
    return deeds[item.chosen]


# --- take over -------------------------------------------------------------------------------------------------


def take_over(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show whose rules are at a standby machine; with ``--confirm`` make a console's rules this one's."""
    standby = find_standby(door, chosen.name)
    consoles = door.ask(InspectTakeOver(standby=standby.id))
    if chosen.console is None:
        _list(consoles, screen)
        return DONE
    console = find("console", chosen.console, consoles, _console_keys)
    expected = console.host or standby.name
    if chosen.confirm is None:
        for line in _consequences(console, expected):
            screen.remark(line)
        screen.remark(f"Nothing was changed. To confirm it: --confirm {expected}")
        return FAILED
    report = door.execute(
        TakeOver(
            standby=standby.id,
            console=console.console,
            confirmation=chosen.confirm,
            daily_at=chosen.daily_at,
            keep_days=chosen.keep_days,
            stopped=chosen.stopped,
        )
    )
    screen.facts(
        [
            ("Rules adopted", ", ".join(report.adopted) or "-"),
            ("Rules left", ", ".join(report.left) or "-"),
            ("Restore points", report.points),
        ],
        report,
    )
    return DONE


def _console_keys(console: FoundConsole) -> tuple[str, ...]:
    return (console.console, console.host) if console.console else (_POINTS,)


def _list(consoles: Iterable[FoundConsole], screen: Screen) -> None:
    rows = tuple(consoles)
    columns = ("console", "last seen", "state", "rule", "VMs", "directory", "platform", ">points", "newest")
    cells = (
        (
            console.host or console.console or _POINTS,
            console.seen_at,
            _state(console),
            rule.name,
            ", ".join(rule.vms),
            rule.target_path or "/",
            rule.platform_name or f"{rule.platform_address} (not registered)",
            rule.points,
            rule.newest,
        )
        for console in rows
        for rule in console.rules
    )
    screen.table(columns, cells, rows)


def _state(console: FoundConsole) -> str:
    if console.is_at_work:
        return "at work right now"
    return f"taken over by {console.taken_by}" if console.taken_by else ""


def _consequences(console: FoundConsole, expected: str) -> Iterator[str]:
    names = ", ".join(rule.name for rule in console.rules) or "none"
    yield f"These rules become this console's: {names}."
    if console.console:
        yield f"The console on {expected} makes no restore points there any more, and deletes none."
        if console.is_at_work:
            yield f"It is at work right now: is {expected} really to be given up?"
    else:
        yield "No console left its rules: they are made from the restore points, and need --daily-at."
    for rule in console.rules:
        if rule.platform_name is None:
            yield f"The rule {rule.name} needs the platform {rule.platform_address}: register it first."
