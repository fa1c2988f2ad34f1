"""Reads the catalog into a configuration, and what of it is compared with one."""

import platform as machine
from datetime import datetime

import app
from app.core.secrets import SecretStore
from app.domain.moving import StandbyWithRepositories
from app.domain.notifications import NotificationSettings
from app.domain.rules import BackupRule
from app.domain.standbys import Standby
from app.engine.hooks.run import read_hooks
from app.engine.moving.collected import Known
from app.engine.moving.form import Configuration, RepositoryEntry, RuleEntry, StandbyEntry
from app.engine.notify.settings import EMAIL_SECRET, WEBHOOK_SECRET
from app.engine.ports import Catalog
from app.engine.rules.drafts import shown_policy


def read_known(catalog: Catalog, notifications: NotificationSettings) -> Known:
    """Return what is here.

    Raises:
        HooksNotReadable: the hooks cannot be read, and nothing may take their place unseen.
        OperationalError: the catalog cannot be read.
    """
    return Known(
        platforms=catalog.platforms.all(),
        standbys=tuple(_with_repositories(catalog, standby) for standby in catalog.standbys.all()),
        rules=catalog.rules.all(),
        notifications=notifications,
        hooks=read_hooks(catalog.settings),
    )


def gather(known: Known, now: datetime) -> Configuration:
    """Return what is here as a configuration."""
    return Configuration(
        made_at=now,
        program=app.__version__,
        host=machine.node(),
        platforms=known.platforms,
        standbys=tuple(_standby_entry(standby) for standby in known.standbys),
        rules=tuple(rule_entry(rule, known) for rule in known.rules),
        notifications=known.notifications,
        hooks=known.hooks.common,
    )


def rule_entry(rule: BackupRule, known: Known) -> RuleEntry:
    """Return a rule as it is in a file."""
    return RuleEntry(
        id=rule.id,
        name=rule.name,
        platform=rule.platform,
        standby=rule.standby,
        target_path=rule.target_path,
        vms=rule.vms,
        advanced=rule.advanced,
        policy=shown_policy(rule.policy),
        proof=rule.proof,
        hooks=known.hooks.rules.get(rule.id),
    )


def gather_secrets(known: Known, secrets: SecretStore) -> dict[str, str]:
    """Return every password and key that belongs to what is here.

    Raises:
        SecretStoreUnavailable: the secret store cannot be used.
    """
    names = [platform.secret_name for platform in known.platforms]
    for row in known.standbys:
        names.append(row.standby.secret_name)
        names += [f"repository/{identity}" for _, identity, is_encrypted in row.repositories if is_encrypted]
    names += [EMAIL_SECRET, WEBHOOK_SECRET]
    found = {name: secrets.get(name) for name in dict.fromkeys(names)}
    return {name: value for name, value in found.items() if value is not None}


def _standby_entry(row: StandbyWithRepositories) -> StandbyEntry:
    repositories = tuple(
        RepositoryEntry(target_path=target_path, id=identity, is_encrypted=is_encrypted)
        for target_path, identity, is_encrypted in row.repositories
    )
    return StandbyEntry(standby=row.standby, repositories=repositories)


def _with_repositories(catalog: Catalog, standby: Standby) -> StandbyWithRepositories:
    encrypted = catalog.standbys.encrypted_repositories(standby.id)
    return StandbyWithRepositories(
        standby=standby,
        repositories=tuple(
            (target_path, identity, target_path in encrypted)
            for target_path, identity in sorted(catalog.standbys.repositories(standby.id).items())
        ),
    )
