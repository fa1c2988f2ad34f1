"""Exports the configuration, and imports one: compared first, then in one transaction."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from app.contract.moving import (
    ExportConfiguration,
    ExportedConfiguration,
    ImportConfiguration,
    ImportPlan,
    ImportReport,
    PlanImport,
)
from app.core.clock import Clock
from app.core.secrets import SecretStore
from app.domain.moving import Intake, ItemChoice, ItemState
from app.domain.passphrases import is_strong
from app.domain.rules import BackupRule
from app.engine.errors import PassphraseWeak
from app.engine.handlers import handles
from app.engine.log.journal import Journal
from app.engine.moving import messages
from app.engine.moving.collected import Comparison, Known
from app.engine.moving.compare import compare, name_of
from app.engine.moving.errors import ImportOutdated, ImportRefused, ImportUnknownItem
from app.engine.moving.form import Opened, read_file, write_file
from app.engine.moving.gather import gather, gather_secrets, read_known
from app.engine.notify.settings import NotificationSettingsStore
from app.engine.ports import Catalog

_log = logging.getLogger(__name__)


class MovingHandlers:
    """Answers about whole configurations. Thread: any; imports take turns."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        secrets: SecretStore,
        notifications: NotificationSettingsStore,
        journal: Journal,
        clock: Clock,
        taken_in: Callable[[], None],
    ) -> None:
        """Know what is needed.

        Args:
            catalog: what is exported, and what takes in.
            secrets: passwords and keys.
            notifications: the settings of these, which are remembered.
            journal: the operator's log.
            clock: the time.
            taken_in: called after an import, so that rules are planned and points listed.
        """
        self._catalog = catalog
        self._secrets = secrets
        self._notifications = notifications
        self._journal = journal
        self._clock = clock
        self._taken_in = taken_in
        self._lock = threading.Lock()

    @handles(ExportConfiguration)
    def _export(self, command: ExportConfiguration) -> ExportedConfiguration:
        """Return the configuration as a file.

        Raises:
            PassphraseWeak: it can be guessed.
            SecretStoreUnavailable: passwords are wanted and cannot be read.
            OperationalError: the catalog cannot be read.
        """
        passphrase = command.passphrase
        if passphrase is not None and not is_strong(passphrase):
            raise PassphraseWeak
        known = self._known()
        secrets = {} if passphrase is None else gather_secrets(known, self._secrets)
        content = write_file(gather(known, self._clock.now()), secrets, passphrase)
        log = self._journal.about("", "configuration.export")
        if passphrase is None:
            log.info(messages.CONFIGURATION_EXPORTED, rules=len(known.rules))
        else:
            log.warning(messages.CONFIGURATION_EXPORTED_SEALED, rules=len(known.rules), secrets=len(secrets))
        return ExportedConfiguration(
            content=content,
            platforms=len(known.platforms),
            standbys=len(known.standbys),
            rules=len(known.rules),
            secrets=len(secrets),
        )

    @handles(PlanImport)
    def _plan(self, query: PlanImport) -> ImportPlan:
        opened = read_file(query.content, query.passphrase)
        compared = compare(opened.configuration, self._known(), query.decisions, frozenset(opened.secrets))
        return ImportPlan(
            made_at=opened.configuration.made_at,
            program=opened.configuration.program,
            host=opened.configuration.host,
            has_secrets=opened.has_secrets,
            secrets_open=query.passphrase is not None,
            items=compared.items,
        )

    @handles(ImportConfiguration)
    def _import(self, command: ImportConfiguration) -> ImportReport:
        """Take a configuration in.

        Secrets of what is added are kept before the commit, when nothing looks for them yet; those of what is
        replaced after it: a crash in between leaves what is here with its own.

        Raises:
            ImportRefused, ImportOutdated, ImportUnknownItem: what was decided cannot be done.
            OperationalError: the file cannot be read, or what is here not be written; nothing is imported.
        """
        opened = read_file(command.content, command.passphrase)
        with self._lock:
            compared = compare(opened.configuration, self._known(), command.decisions, frozenset(opened.secrets))
            _refuse(compared)
            intake = _stopped(compared.intake) if command.stopped else compared.intake
            early = [*compared.secrets, *self._missing(compared, opened)]
            kept = self._keep(opened, early)
            if not intake.is_empty:
                self._catalog.intake.take_in(intake, self._clock.now())
            kept += self._keep(opened, compared.late_secrets)
            self._notifications.forget()
        report = _report(compared, kept)
        self._journal.about("", "configuration.import").info(
            messages.CONFIGURATION_IMPORTED,
            host=opened.configuration.host,
            added=report.added,
            replaced=report.replaced,
            skipped=report.skipped,
        )
        self._taken_in()
        return report

    def _known(self) -> Known:
        return read_known(self._catalog, self._notifications.settings())

    def _missing(self, compared: Comparison, opened: Opened) -> list[tuple[str, str]]:
        wanted = [(there, here) for there, here in compared.missing_secrets if there in opened.secrets]
        return [(there, here) for there, here in wanted if self._secrets.get(here) is None]

    def _keep(self, opened: Opened, names: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> int:
        kept = 0
        for there, here in names:
            value = opened.secrets.get(there)
            if value is not None:
                self._secrets.set(here, value)
                kept += 1
        return kept


def _refuse(compared: Comparison) -> None:
    """Let pass only what can be done as it was decided.

    Raises:
        ImportRefused, ImportOutdated, ImportUnknownItem: it cannot.
    """
    for decision in compared.unknown:
        raise ImportUnknownItem(name=decision.key)
    for decision in compared.outdated:
        raise ImportOutdated(name=name_of(compared, decision.kind, decision.key))
    for decision in compared.impossible:
        raise ImportRefused(name=name_of(compared, decision.kind, decision.key))


def _stopped(intake: Intake) -> Intake:
    return replace(intake, rules=tuple(stopped_rule(rule) for rule in intake.rules))


def stopped_rule(rule: BackupRule) -> BackupRule:
    """Return a rule of which no VM is started."""
    return replace(rule, vms=tuple(replace(vm, is_started=False) for vm in rule.vms))


def _report(compared: Comparison, secrets: int) -> ImportReport:
    chosen = [item.chosen for item in compared.items if item.state is not ItemState.SAME]
    return ImportReport(
        added=sum(choice in (ItemChoice.ADD, ItemChoice.RENAME) for choice in chosen),
        replaced=chosen.count(ItemChoice.REPLACE),
        skipped=chosen.count(ItemChoice.SKIP),
        secrets=secrets,
        without_password=tuple(item.becomes for item in compared.items if item.needs_password),
    )
