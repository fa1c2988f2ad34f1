"""The log page through the engine's door: everything that happened, in one list, and out of it into a file."""

import csv
from datetime import timedelta
from pathlib import Path

import pytest

from app.contract.log import ClearLog, ExportLog, LogEntryRow, LogFilter, ReadLog
from app.contract.platforms import RegisterPlatform
from app.contract.standbys import RemoveStandby
from app.domain.changes import Subject
from app.domain.messages import LogLevel
from app.engine.errors import RequestRefused
from app.engine.history import messages
from app.engine.history.errors import LogNotWritten
from tests.support.engine_lab import filled_vm
from tests.support.local_hypervisor import PASSWORD
from tests.support.rule_lab import RuleLab


def rows(lab: RuleLab, wanted: LogFilter | None = None) -> list[LogEntryRow]:
    """Return the whole log, oldest first."""
    page = lab.engine.ask(ReadLog(filter=wanted or LogFilter(), limit=1000))
    assert page.older is None
    return list(reversed(page.rows))


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_program_platforms_standbys_and_tasks_tell_their_story_in_one_log(lab: RuleLab) -> None:
    lab.backup(filled_vm(lab))
    told = [(row.subject, row.action, row.line.code) for row in rows(lab)]
    assert told[:3] == [
        ("", "program.start", "program.started"),
        ("lab", "platform.register", "platform.registered"),
        ("standby", "standby.register", "standby.registered"),
    ]
    assert told[3] == ("web", "backup", "task.started")
    assert told[-1] == ("web", "backup", "task.completed")
    assert all(row.task is not None for row in rows(lab)[3:])
    assert all(row.line.text and "{" not in row.line.text for row in rows(lab))


def test_what_is_done_to_platforms_and_standbys_stays_told_after_they_are_gone(lab: RuleLab) -> None:
    lab.engine.execute(RemoveStandby(standby=lab.standby))
    assert rows(lab)[-1].line.text == messages.STANDBY_REMOVED.template
    assert rows(lab)[-1].subject == "standby"


def test_no_password_is_ever_in_the_log(lab: RuleLab) -> None:
    lab.backup(filled_vm(lab))
    assert PASSWORD not in str(rows(lab))
    with pytest.raises(Exception, match="registered"):
        lab.engine.execute(RegisterPlatform(name="lab", address=lab.host.address, user="root", password=PASSWORD))
    assert PASSWORD not in str(rows(lab))


def test_words_are_looked_for_in_both_languages(lab: RuleLab) -> None:
    lab.backup(filled_vm(lab))
    chinese = ((messages.PROGRAM_STARTED.template, "程序已启动"), ("backup", "备份"))

    def found(text: str) -> list[str]:
        return [row.line.code for row in rows(lab, LogFilter(text=text, translations=chinese))]

    assert found("程序") == found("program started") == ["program.started"]
    assert found("STANDBY register") == ["standby.registered"]
    assert found("备份") == [row.line.code for row in rows(lab) if row.action == "backup"]
    assert found("备份 程序") == []


def test_the_log_is_written_to_a_file_in_the_readers_language(lab: RuleLab, tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("old", encoding="utf-8")
    wanted = LogFilter(
        translations=(
            ("Time", "时间"),
            ("Normal", "普通"),
            (messages.STANDBY_REGISTERED.template, "已注册：{path}"),
        )
    )
    expected = rows(lab)
    assert lab.engine.execute(ExportLog(filter=wanted, path=str(file))) == len(expected)
    header, *lines = table(file)
    assert header == ["时间", "Level", "Subject", "Action", "Message", "Task"]
    assert lines[0][:4] == ["2026-03-02 08:00:00.000+08:00", "普通", "standby", "standby.register"]
    assert lines[0][4] == f"已注册：{lab.directory / 'standby'}"
    assert [line[4] for line in lines[1:]] == [row.line.text for row in reversed(expected[:-1])]
    assert rows(lab)[-1].line.code == "log.exported"


def test_an_export_of_many_lines_is_read_page_by_page_and_whole(lab: RuleLab, tmp_path: Path) -> None:
    journal = lab.engine.services.journal
    for number in range(2500):
        journal.about("=SUM(A1)", "test").info(messages.LOG_CLEARED, count=number)
    file = tmp_path / "log.csv"
    assert lab.engine.execute(ExportLog(filter=LogFilter(text="sum"), path=str(file))) == 2500
    lines = table(file)[1:]
    assert [line[4].split()[0] for line in lines] == [str(number) for number in reversed(range(2500))]
    assert {line[2] for line in lines} == {"'=SUM(A1)"}, "a spreadsheet takes it for text"


def test_an_export_that_cannot_be_written_leaves_nothing_behind(lab: RuleLab, tmp_path: Path) -> None:
    with pytest.raises(RequestRefused):
        lab.engine.execute(ExportLog(path="log.csv"))
    with pytest.raises(LogNotWritten):
        lab.engine.execute(ExportLog(path=str(tmp_path / "nowhere" / "log.csv")))
    (tmp_path / "taken").mkdir()
    with pytest.raises(LogNotWritten):
        lab.engine.execute(ExportLog(path=str(tmp_path / "taken")))
    assert not list(tmp_path.glob(".*.tmp"))


def test_clearing_tells_that_it_was_done(lab: RuleLab) -> None:
    count = len(rows(lab))
    lab.turnable.turn(60)
    lab.engine.services.journal.about("web", "test").error(messages.LOG_CLEARED, count=0)
    assert lab.engine.execute(ClearLog(filter=LogFilter(end=lab.turnable.now()))) == count
    left = rows(lab)
    assert [row.action for row in left] == ["test", "log.clear"]
    assert left[-1].line.level is LogLevel.WARNING
    assert dict(left[-1].line.params) == {"count": str(count)}
    assert lab.hears(Subject.LOG)


def test_a_page_says_where_to_go_on(lab: RuleLab) -> None:
    lab.backup(filled_vm(lab))
    whole = rows(lab)
    seen: list[LogEntryRow] = []
    page = lab.engine.ask(ReadLog(limit=4))
    while True:
        seen += page.rows
        assert len(page.rows) <= 4
        if page.older is None:
            break
        assert page.searched_to == page.rows[-1].line.at
        page = lab.engine.ask(ReadLog(limit=4, before=page.older))
    assert seen == list(reversed(whole))
    later = whole[-1].line.at + timedelta(seconds=1)
    assert lab.engine.ask(ReadLog(filter=LogFilter(start=later))).rows == ()
