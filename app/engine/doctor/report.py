"""The doctor's report: a text that a stranger can mail to whoever may know what is wrong."""

import platform as machine
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from app.contract.doctor import Finding, Severity
from app.contract.transports import ProbedMode
from app.domain.messages import sentence_if_possible
from app.domain.platforms import Platform
from app.engine.doctor.platform import Examination

_WORST_FIRST: Final = (Severity.ERROR, Severity.WARNING, Severity.NOTICE, Severity.OK)
_ADDRESS: Final = re.compile(r"[0-9a-fA-F:.%]{3,}\w*")
_SHORTEST: Final = 3
"""Names below this are parts of too many other words."""


def report_text(program: str, made_at: datetime, platform: Platform, found: Examination) -> str:
    """Return the report in English.

    Args:
        program: name and version of this program.
        made_at: when.
        platform: what was examined.
        found: what the doctor found.
    """
    facts = found.facts
    parts = [
        f"{program}, {made_at:%Y-%m-%d %H:%M} UTC, {machine.platform()}, Python {machine.python_version()}",
        f"Platform {platform.name} at {platform.address}:{platform.port}, account {platform.user}",
        "" if facts is None else f"{facts.full_name}, API {facts.api_version}, build {facts.build}",
        "",
        "Findings, the worst first:",
        *_finding_lines(found.findings),
        "",
        "Ways to a disk, in the platform's order:",
        *_mode_lines(found.modes),
        "",
        "Names of hosts on this machine:",
        *[f"  {host}: {addresses}" for host, addresses in sorted(found.addresses.items())],
        "",
        "Privileges of the account:",
        *[f"  {'yes' if one.is_granted else 'NO '} {one.privilege}" for one in found.privileges],
    ]
    return "\n".join(parts) + "\n"


def _finding_lines(findings: Iterable[Finding]) -> list[str]:
    ordered = sorted(findings, key=lambda finding: _WORST_FIRST.index(finding.severity))
    return [
        f"  [{finding.severity.value}] {finding.code} {finding.subject}: "
        f"{sentence_if_possible(finding.message, finding.params)}"
        for finding in ordered
    ]


def _mode_lines(modes: Iterable[ProbedMode]) -> list[str]:
    lines = []
    for one in modes:
        outcome = f"{(one.bytes_per_s or 0) / 1e6:.1f} MB/s" if one.error is None else one.error.message
        lines.append(f"  {one.mode.name}: {outcome}")
        details = one.host_words if one.error is None else one.error.details
        lines += [f"      {line}" for line in details.splitlines() if line]
    return lines


def blurred(text: str, names: Mapping[str, str]) -> str:
    """Return a text with names put in place of others, whole words only, the longest first.

    Args:
        text: the text.
        names: what is to stand in place of each name, such as ``host-1``.
    """
    known = [name for name in names if len(name) >= _SHORTEST]
    if not known:
        return text
    longest_first = sorted(known, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])", re.IGNORECASE)
    folded = {name.casefold(): replacement for name, replacement in names.items()}
    return pattern.sub(lambda match: folded[match[0].casefold()], text)


def pseudonyms(**kinds: Iterable[str]) -> dict[str, str]:
    """Return a pseudonym for each name: its kind and a number, the same for the same name."""
    found: dict[str, str] = {}
    for kind, names in kinds.items():
        for number, name in enumerate(sorted({name for name in names if name}), start=1):
            found.setdefault(name, f"{kind}-{number}")
    return found


def names_in(platform: Platform, found: Examination) -> dict[str, str]:
    """Return a pseudonym for each name that a report of an examination may hold."""
    addresses = [part for text in found.addresses.values() for part in text.split(", ")]
    return pseudonyms(
        platform=[platform.name, platform.address, *platform.former_addresses],
        account=[platform.user],
        host=[*found.addresses, *(vm.host for vm in found.vms)],
        address=[part for part in addresses if _ADDRESS.fullmatch(part)],
        vm=[vm.name for vm in found.vms],
        guest=[vm.hostname or "" for vm in found.vms],
        datastore=[store for vm in found.vms for store in vm.datastores],
        datacenter=[vm.datacenter for vm in found.vms],
        folder=[folder for vm in found.vms for folder in vm.folder],
    )
