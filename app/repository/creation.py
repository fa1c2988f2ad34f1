"""Makes the directories, the keys and ``repository.json`` of a new repository."""

import uuid
from datetime import datetime
from pathlib import Path

from app.repository.configuration import CIPHER, Encryption, describe_repository
from app.repository.crypto import RepositoryKeys
from app.repository.errors import RepositoryExists
from app.repository.files import make_directory, refuse_foreign_names, replace_file, storage_errors
from app.repository.keys import KeyRing, MasterKey, Protection, encode_master, new_master_key
from app.repository.layout import Layout
from app.repository.values import RepositorySettings


def create_repository(
    root: Path, settings: RepositorySettings, protection: Protection | None, at: datetime
) -> MasterKey | None:
    """Make a new repository in a directory, and return its key when a protection encrypts it.

    The directory is created when its parent exists. ``repository.json`` comes last: what a failure leaves
    behind is no repository yet.

    Raises:
        RepositoryExists: there is one already.
        FileNamesNotUtf8: this process would write names that no other machine can read.
        StandbyFull, StandbyUnavailable: the standby refuses.
    """
    refuse_foreign_names(root)
    layout, repository_id, now = Layout(root), uuid.uuid4(), at.isoformat()
    master = None if protection is None else new_master_key()
    encryption = None
    if master is not None and protection is not None:
        encryption = Encryption(CIPHER, RepositoryKeys(master).check, protection.hide_names)
    description = describe_repository(repository_id, settings, now, encryption)
    with storage_errors(root):
        make_directory(layout.base)
        if layout.settings.exists():
            raise RepositoryExists(path=root)
        for directory in layout.directories:
            make_directory(directory)
        if master is not None and protection is not None:
            ring = KeyRing(root, layout.keys, str(repository_id))
            for seal in protection.seals.all:
                ring.add(master, seal, now)
        replace_file(layout.settings, description)
    return None if master is None else encode_master(master)
