"""Who waits for an answer, and what becomes of it when one side ends before the other."""

import gc

from PySide6.QtCore import QCoreApplication, QEvent, QObject
from PySide6.QtWidgets import QApplication
from pytestqt.exceptions import capture_exceptions

from app.workers.answers import Answers, Failure, Waiting


def nobody(_answer: object) -> None:
    raise AssertionError("nobody is to hear of it")


def failed(failure: Failure) -> None:
    nobody(failure)


def destroy(owner: QObject) -> None:
    owner.deleteLater()
    QCoreApplication.sendPostedEvents(owner, QEvent.Type.DeferredDelete)


def test_an_owner_that_ends_withdraws_what_it_waits_for(qapp: QApplication) -> None:
    withdrawn: list[str] = []
    answers, owner = Answers(), QObject()
    answers.expect(Waiting(owner, nobody, failed, withdraw=lambda: withdrawn.append("a query")))
    with capture_exceptions() as raised:
        destroy(owner)
    assert (withdrawn, answers.owners(), raised) == (["a query"], [], [])


def test_an_owner_may_outlive_the_answers_it_waited_for(qapp: QApplication) -> None:
    owner, withdrawn = QObject(), list[str]()
    with capture_exceptions() as raised:
        answers = Answers()
        answers.expect(Waiting(owner, nobody, failed, withdraw=lambda: withdrawn.append("a query")))
        answers.close()
        assert withdrawn == ["a query"]
        # What the collector leaves of an object that Qt still knows.
        answers.__dict__.clear()
        destroy(owner)
        del answers
        gc.collect()
    assert raised == []
