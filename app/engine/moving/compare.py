"""What of a configuration is new here, the same or different, and what an import of it writes: a pure function."""

from collections.abc import Iterable

from app.contract.moving import ItemDecision
from app.domain.moving import Intake, ItemKind
from app.engine.moving.collected import Collected, Comparison, Known
from app.engine.moving.compareplatforms import compare_platforms
from app.engine.moving.comparerules import compare_rules
from app.engine.moving.comparesettings import compare_settings
from app.engine.moving.comparestandbys import compare_standbys
from app.engine.moving.form import Configuration


def compare(
    configuration: Configuration,
    known: Known,
    decisions: Iterable[ItemDecision] = (),
    secret_names: frozenset[str] = frozenset(),
) -> Comparison:
    """Compare a configuration with what is here.

    Args:
        configuration: what comes; nothing in it is believed.
        known: what is here.
        decisions: what the operator wants; what is new is added otherwise, and the rest left alone.
        secret_names: of the secrets that come with it.
    """
    wanted = {(decision.kind, decision.key): decision for decision in decisions}
    collected = Collected(wanted)
    platforms = compare_platforms(configuration, known, collected, secret_names)
    standbys = compare_standbys(configuration, known, collected)
    rules = compare_rules(configuration, known, collected, platforms.ids, standbys.ids)
    documents = compare_settings(configuration, known, collected, rules.hooks)
    there = {(item.kind, item.key) for item in collected.items}
    unknown = [decision for key, decision in wanted.items() if key not in there]
    return Comparison(
        items=tuple(collected.items),
        intake=Intake(
            platforms=tuple(platforms.taken),
            standbys=tuple(standbys.taken),
            rules=tuple(rules.taken),
            documents=documents,
        ),
        secrets=tuple(collected.secrets),
        late_secrets=tuple(collected.late_secrets),
        missing_secrets=tuple(collected.missing_secrets),
        impossible=tuple(collected.impossible),
        outdated=tuple(collected.outdated),
        unknown=tuple(unknown),
    )


def name_of(comparison: Comparison, kind: ItemKind, key: str) -> str:
    """Return the name of a part, for a message; its key where there is no such part."""
    return next((item.name for item in comparison.items if (item.kind, item.key) == (kind, key)), key)
