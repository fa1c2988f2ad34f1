"""``proof …``: proofs of restore, their pictures, and when a rule makes them."""

from argparse import Namespace
from dataclasses import replace
from datetime import time
from pathlib import Path

from app.cli.ctl.names import find_platform, find_point, find_rule
from app.cli.ctl.screen import Screen
from app.cli.ctl.tasks import DONE, FAILED, queued
from app.contract.door import Door
from app.contract.proofs import ListProofs, ReadProofPicture, StartProof
from app.contract.rules import ChangeRuleProof, DescribeRule
from app.core.durable import replace_durably
from app.domain.proofs import ProofKind, ProofPolicy, ProofWhen, ProofWhich, RestoreProof

_NUMBERS = (
    "every_days",
    "limit_min",
    "cpus",
    "memory_mib",
    "at_once",
    "minutes_per_day",
    "warn_after_days",
)


def start_proof(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Prove a restore point: start its VM without a network, look at it, take it away."""
    known = find_point(door, chosen.point, chosen.standby)
    task = door.execute(
        StartProof(
            standby=known.standby,
            target_path=known.target_path,
            point=known.point.id,
            platform=find_platform(door, chosen.platform).id if chosen.platform else None,
            host=chosen.host,
            limit_min=chosen.limit_min,
            cpus=chosen.cpus,
            memory_mib=chosen.memory_mib,
            address=chosen.address or "",
        )
    )
    return queued(door, screen, [task], wait=chosen.wait)


def list_proofs(door: Door, screen: Screen, chosen: Namespace) -> int:
    """List the restore points that were tried, the newest proof first."""
    known = door.ask(ListProofs(rule_name=chosen.rule))
    rows = tuple(row for row in known if not chosen.vm or chosen.vm in (row.vm_name, row.vm))
    columns = ("point", "VM", "rule", "backed up at", "proof", "at", ">seconds", "picture", "why")
    cells = (
        (
            row.point,
            row.vm_name,
            row.rule_name,
            row.point_at,
            outcome_word(row.proof),
            row.proof.at,
            round(row.proof.seconds),
            "yes" if row.proof.has_picture else "",
            str(row.proof.reason),
        )
        for row in rows
    )
    screen.table(columns, cells, rows)
    return DONE


def outcome_word(proof: RestoreProof | None) -> str:
    """Return how a proof ended; empty where there is none."""
    if proof is None:
        return ""
    if not proof.is_proven:
        return "not proven"
    return "boots" if proof.kind is ProofKind.BOOTS else "readable"


def save_picture(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Write what the console showed at the end of a proof into a PNG file."""
    known = find_point(door, chosen.point, chosen.standby)
    picture = door.ask(
        ReadProofPicture(standby=known.standby, target_path=known.target_path, point=known.point.id)
    )
    if picture is None:
        screen.remark(f"There is no picture of {known.point.id}.")
        return FAILED
    path = Path(chosen.file)
    try:
        replace_durably(path, picture.png)
    except OSError as error:
        screen.remark(f"{path} cannot be written: {error.strerror or error}")
        return FAILED
    screen.facts([("Picture", str(path)), ("Taken", picture.at)], {"file": str(path), "at": picture.at})
    return DONE


def rule_proofs(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show when and how a rule proves its restore points, after changing that where it is wanted."""
    rule = find_rule(door, chosen.rule)
    known = door.ask(DescribeRule(rule=rule.id)).draft.proof
    wanted = _wanted(door, known, chosen)
    if wanted != known:
        door.execute(ChangeRuleProof(rule=rule.id, proof=wanted))
    facts: list[tuple[str, object]] = [
        ("when", wanted.when.value),
        ("which points", wanted.which.value),
        ("every days", f"{wanted.every_days}, from {wanted.at:%H:%M} on"),
        ("time limit", f"{wanted.limit_min} min"),
        ("at most", f"{wanted.cpus} CPUs, {wanted.memory_mib} MB"),
        ("at once", wanted.at_once),
        ("minutes per day", wanted.minutes_per_day),
        ("warn after days", wanted.warn_after_days or "never"),
        ("platform", wanted.platform or "the rule's"),
        ("host", wanted.host or "any"),
    ]
    screen.facts(facts, wanted)
    return DONE


def _wanted(door: Door, known: ProofPolicy, chosen: Namespace) -> ProofPolicy:
    changed = {name: number for name in _NUMBERS if (number := getattr(chosen, name)) is not None}
    wanted = replace(known, **changed)
    if chosen.when is not None:
        wanted = replace(wanted, when=ProofWhen(chosen.when))
    if chosen.which is not None:
        wanted = replace(wanted, which=ProofWhich(chosen.which))
    if chosen.at is not None:
        wanted = replace(wanted, at=time.fromisoformat(chosen.at))
    if chosen.host is not None:
        wanted = replace(wanted, host=chosen.host)
    if chosen.platform is not None:
        wanted = replace(wanted, platform=find_platform(door, chosen.platform).id if chosen.platform else None)
    return wanted
