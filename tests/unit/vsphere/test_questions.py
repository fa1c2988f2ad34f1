"""The question whether a VM was moved or copied, as releases and tools spell it."""

from typing import Any

import pytest
from pyVmomi import vim

from app.vsphere.questions import MovedOrCopied, asks_for_origin, choice_of


def question(
    *choices: tuple[str, str, str], message: str = "msg.uuid.altered", text: str = "moved or copied?"
) -> Any:
    return vim.vm.QuestionInfo(
        id="12",
        text=text,
        choice=vim.option.ChoiceOption(
            choiceInfo=[
                vim.ElementDescription(key=key, label=label, summary=summary) for key, label, summary in choices
            ]
        ),
        message=[vim.vm.Message(id=message, text=text)] if message else [],
    )


LABELLED = (
    ("0", "button.uuid.cancel", "Cancel"),
    ("1", "button.uuid.movedTheVM", "I Moved It"),
    ("2", "button.uuid.copiedTheVM", "I Copied It"),
)
SAID = (("a", "Cancel", "Cancel"), ("b", "I _copied it", ""), ("c", "I _moved it", ""))
FOREIGN = (("0", "取消", "取消"), ("1", "我已移动", "我已移动"), ("2", "我已复制", "我已复制"))


@pytest.mark.parametrize(
    ("choices", "moved", "copied"),
    [
        (LABELLED, "1", "2"),
        (LABELLED[::-1], "1", "2"),
        (SAID, "c", "b"),
        (FOREIGN, "1", "2"),
        (FOREIGN[:1], "1", "2"),
    ],
)
def test_choice_is_found_by_label_then_words_then_place(
    choices: tuple[tuple[str, str, str], ...], moved: str, copied: str
) -> None:
    assert choice_of(question(*choices), MovedOrCopied.MOVED) == moved
    assert choice_of(question(*choices), MovedOrCopied.COPIED) == copied


def test_only_the_question_for_the_origin_is_one() -> None:
    assert asks_for_origin(question(*LABELLED))
    assert asks_for_origin(question(*LABELLED, message="", text="msg.uuid.altered:This virtual machine"))
    assert not asks_for_origin(question(("0", "button.retry", "Retry"), message="msg.hbacommon.outofspace"))
