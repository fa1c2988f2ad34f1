"""The question of a VM whose files are not where it last ran: whether it was moved or copied.

Source: ``VirtualMachineQuestionInfo`` and ``AnswerVM`` of the vSphere Web Services reference. That the question is
``msg.uuid.altered``, with the choices ``button.uuid.cancel``, ``button.uuid.movedTheVM`` and
``button.uuid.copiedTheVM`` in this order, is not documented; public scripts for many releases rely on it.
"""

from enum import Enum
from typing import Any, Final

from pyVmomi import vim, vmodl

from app.domain.errors import OperationalError
from app.domain.ids import VmId
from app.vsphere.faults import translate
from app.vsphere.session import VSphereSession
from app.vsphere.words import Operation

_QUESTION: Final = "msg.uuid.altered"


class MovedOrCopied(Enum):
    """What a VM's files are: the VM's own in another place, or a copy of another VM's."""

    MOVED = "moved"
    COPIED = "copied"


_PLACES: Final = {MovedOrCopied.MOVED: 1, MovedOrCopied.COPIED: 2}
"""Where the choices are, for a platform that names them otherwise."""


def asks_for_origin(question: Any) -> bool:
    """Return whether a VM asks whether it was moved or copied."""
    ids = [message.id or "" for message in question.message or ()]
    return any(known.startswith(_QUESTION) for known in (*ids, question.text or ""))


def choice_of(question: Any, origin: MovedOrCopied) -> str:
    """Return the key of the choice that gives an answer: by its label, else by what it says, else by its place."""
    choices = question.choice.choiceInfo
    label = f"button.uuid.{origin.value}thevm"
    for choice in choices:
        if (choice.label or "").casefold() == label:
            return str(choice.key)
    for choice in choices:
        if origin.value in f"{choice.label or ''} {choice.summary or ''}".casefold():
            return str(choice.key)
    place = _PLACES[origin]
    return str(choices[place].key) if len(choices) > place else str(place)


class Answers:
    """Answers one VM's question, once. Thread: one."""

    def __init__(self, session: VSphereSession, vm: VmId, origin: MovedOrCopied) -> None:
        self._session = session
        self._vm = vm
        self._origin = origin
        self._given: set[str] = set()

    def give(self, question: Any) -> bool:
        """Answer a question; return whether it is one that is answered here, now or a moment ago.

        Raises:
            OperationalError: the account may not answer.
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        if not asks_for_origin(question):
            return False
        if question.id not in self._given:
            self._answer(str(question.id), choice_of(question, self._origin))
            self._given.add(question.id)
        return True

    def _answer(self, question: str, choice: str) -> None:
        try:
            self._session.run(
                lambda connection: connection.vm(self._vm).AnswerVM(questionId=question, answerChoice=choice)
            )
        except (vmodl.fault.InvalidArgument, vim.fault.ConcurrentAccess):
            return  # someone else was quicker
        except vim.fault.NotAuthenticated:
            raise
        except vim.fault.NoPermission as fault:
            # An error of ours ends the wait for the start and stops it, for nothing else will.
            ours: OperationalError = translate(fault, self._session.attempt(Operation.POWER_ON, str(self._vm)))
            raise ours from fault
