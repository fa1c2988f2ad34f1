"""Takes a configuration in that comes from another installation: in one transaction, all of it or nothing."""

from datetime import datetime

import sqlalchemy as sa

from app.catalog.changing import Changing, changing
from app.catalog.database import Database
from app.catalog.registered import PlatformStore, StandbyStore
from app.catalog.rules import RuleStore
from app.catalog.settings import put_document
from app.core.changes import ChangeFeed
from app.domain.moving import Intake


class IntakeStore:
    """Writes what is taken in. Thread: any."""

    def __init__(
        self,
        database: Database,
        changes: ChangeFeed,
        platforms: PlatformStore,
        standbys: StandbyStore,
        rules: RuleStore,
    ) -> None:
        self._database = database
        self._changes = changes
        self._platforms = platforms
        self._standbys = standbys
        self._rules = rules

    def take_in(self, intake: Intake, at: datetime) -> None:
        """Write all of it, or nothing; runs of the rules that were due up to a moment count as dealt with.

        Raises:
            CatalogRowInTheWay: something of a name is there that cannot be read.
            CatalogUnavailable, CatalogDamaged: it cannot be written.
        """
        with changing(self._database, self._changes, self._forget) as transaction:
            for platform in intake.platforms:
                self._platforms.put_in(transaction, platform)
            for entry in intake.standbys:
                self._standbys.put_in(transaction, entry.standby)
                for target_path, repository_id, is_encrypted in entry.repositories:
                    self._standbys.note_repository_in(
                        transaction, entry.standby.id, target_path, repository_id, is_encrypted=is_encrypted
                    )
            for rule in intake.rules:
                self._rules.release_vms_in(transaction, rule.id)
            for rule in intake.rules:
                self._rules.put_in(transaction, rule, at)
            _put_documents(transaction, intake)

    def _forget(self) -> None:
        self._platforms.forget()
        self._standbys.forget()
        self._rules.forget()


def _put_documents(transaction: Changing, intake: Intake) -> None:
    connection: sa.Connection = transaction.connection
    for name, body in intake.documents.items():
        put_document(connection, name, body)
