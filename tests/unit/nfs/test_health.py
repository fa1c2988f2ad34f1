"""What looking at the standby of a recovery leads to."""

import errno
import os
from types import SimpleNamespace
from typing import cast

import pytest

from app.domain.errors import OperationalError
from app.nfs.failures import StandbyAwayUnderVm, WritesElsewhere
from app.nfs.service.health import StandbyHealth
from app.nfs.service.opening import ServedRecovery
from app.nfs.trouble import Doing, Trouble

AWAY = StandbyAwayUnderVm(detail="no such file")


class Recovery:
    """A recovery whose path leads elsewhere. Fulfils what is asked of ``ServedRecovery``."""

    def __init__(self, found: OperationalError) -> None:
        self.volume = SimpleNamespace(trouble=Trouble())
        self._found = found

    def look(self) -> OperationalError:
        """Say what is wrong."""
        return AWAY

    def is_there_anew(self) -> bool:
        """Say that it is not."""
        raise self._found

    def free_bytes(self) -> None:
        """Know nothing."""


def looked_at(recovery: Recovery) -> StandbyHealth:
    health = StandbyHealth(cast("ServedRecovery", recovery))
    health.look()
    return health


@pytest.mark.parametrize("doing", Doing)
@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.ESTALE])
def test_files_that_refuse_and_are_not_under_their_path_are_let_go(doing: Doing, number: int) -> None:
    recovery = Recovery(AWAY)
    recovery.volume.trouble.note(doing, OSError(number, os.strerror(number)))
    assert looked_at(recovery).is_lost, "as long as they are open nobody can repair the file system"


def test_files_that_work_are_kept_wherever_their_path_leads() -> None:
    assert not looked_at(Recovery(AWAY)).is_lost
    assert not looked_at(Recovery(WritesElsewhere(path="/standby"))).is_lost


def test_files_of_a_full_standby_are_kept() -> None:
    recovery = Recovery(AWAY)
    recovery.volume.trouble.note(Doing.WRITING, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert not looked_at(recovery).is_lost
