"""``standby unlock …`` and other commands for the keys of encrypted standby machines."""

from argparse import Namespace

from app.cli.ctl.names import find_standby
from app.cli.ctl.screen import Screen
from app.cli.ctl.secrets import new_passphrase, passphrase_or_recovery_key
from app.cli.ctl.tasks import DONE, FAILED
from app.contract.door import Door
from app.contract.encryption import (
    AddRecoveryKey,
    ChangePassphrase,
    DescribeEncryption,
    EncryptStandby,
    RevokeRecoveryKeys,
    UnlockStandby,
)


def show_encryption(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Show how a standby machine is encrypted."""
    found = door.ask(DescribeEncryption(standby=find_standby(door, chosen.name).id))
    if not screen.as_json:
        screen.facts(
            [
                ("Encrypted", {"off": "no", "contents": "yes", "names": "yes, names too"}[found.mode.value]),
                ("Passphrase", "known here" if found.passphrase_known else "not known here"),
                ("Recovery keys", found.recovery_keys),
            ],
            found,
        )
    cells = (
        (repository.target_path or "/", "open" if repository.is_open else "locked", repository.recovery_keys)
        for repository in found.repositories
    )
    screen.table(("repository", "state", ">recovery keys"), cells, found)
    return DONE


def unlock(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Open a standby machine; 1 when some of its repositories stay locked."""
    standby = find_standby(door, chosen.name)
    key = passphrase_or_recovery_key(f"Passphrase or recovery key of {standby.name}: ")
    report = door.execute(UnlockStandby(standby=standby.id, key=key))
    screen.facts(
        [
            ("Unlocked", ", ".join(path or "/" for path in report.opened)),
            ("Still locked", ", ".join(path or "/" for path in report.locked) or "-"),
            ("Restore points", report.point_count),
        ],
        report,
    )
    if report.needs_passphrase:
        screen.remark("Now set a new passphrase (standby passphrase), so that new repositories can be made.")
    return FAILED if report.locked else DONE


def encrypt(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Encrypt what will be kept on an empty standby machine."""
    standby = find_standby(door, chosen.name)
    door.execute(EncryptStandby(standby=standby.id, passphrase=new_passphrase(), hide_names=chosen.hide_names))
    screen.facts([("Encrypted", standby.name)], standby.id)
    return DONE


def change_passphrase(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Give a standby machine another passphrase."""
    standby = find_standby(door, chosen.name)
    door.execute(ChangePassphrase(standby=standby.id, passphrase=new_passphrase()))
    screen.facts([("Changed", standby.name)], standby.id)
    return DONE


def add_recovery_key(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Make a recovery key and show it, once."""
    standby = find_standby(door, chosen.name)
    sheet = door.execute(AddRecoveryKey(standby=standby.id))
    screen.remark("Anyone who has this key can read all backup data there. It is not shown again.")
    screen.facts(
        [("Recovery key", sheet.key), ("Standby machine", sheet.standby_name), ("Made at", sheet.made_at)], sheet
    )
    return DONE


def revoke_recovery_keys(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Make all recovery keys of a standby machine worthless."""
    standby = find_standby(door, chosen.name)
    door.execute(RevokeRecoveryKeys(standby=standby.id))
    screen.facts([("Revoked", standby.name)], standby.id)
    return DONE
