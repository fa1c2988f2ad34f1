"""Rows that all are different are made before anybody asks: that of ten thousand VMs takes a second."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.domain.changes import Subject
from app.domain.ids import RuleId
from app.engine.rules.ticker import Ticker
from tests.support.rule_lab import RuleLab


def test_a_tick_makes_all_rows_and_the_next_question_none(lab: RuleLab, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, other = lab.rule(lab.host.add_vm("web")), lab.rule(lab.host.add_vm("db"), name="other")
    lab.tick()
    monkeypatch.setattr(Ticker, "wake", lambda _ticker: None)  # what looks by itself would read them as well
    catalog = lab.engine.services.catalog
    catalog.changes.note(Subject.RULES)
    read: list[object] = []
    real = catalog.tasks.newest_of_rules

    def noted(_: object, only: Sequence[RuleId] | None = None, **more: Any) -> object:
        read.append(only)
        return real(only, **more)

    monkeypatch.setattr(type(catalog.tasks), "newest_of_rules", noted)
    lab.tick()
    assert read == [None]
    assert {lab.row(rule).name, lab.row(other).name} == {"nightly", "other"}
    assert read == [None]


def test_the_engine_looks_at_once_when_all_rows_are_different(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[Ticker] = []
    monkeypatch.setattr(Ticker, "wake", lambda ticker: woken.append(ticker))
    with RuleLab(tmp_path) as lab:
        changes = lab.engine.services.catalog.changes
        woken.clear()
        changes.note(Subject.RULES, ["one of them"])
        changes.note(Subject.STANDBYS)
        assert not woken
        changes.note(Subject.RULES)
        assert len(woken) == 1
