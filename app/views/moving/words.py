"""The words of parts of a configuration, and of what becomes of them. GUI thread."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from app.contract.moving import ImportItem
from app.domain.display import lines
from app.domain.moving import ItemChoice, ItemKind, ItemState
from app.views.widgets.pill import Pill, Tone
from app.views.words import param_text

_KINDS = {
    ItemKind.PLATFORM: QT_TRANSLATE_NOOP("Moving", "Virtual platform"),
    ItemKind.STANDBY: QT_TRANSLATE_NOOP("Moving", "Standby machine"),
    ItemKind.RULE: QT_TRANSLATE_NOOP("Moving", "Backup rule"),
    ItemKind.NOTIFICATIONS: QT_TRANSLATE_NOOP("Moving", "Notifications"),
    ItemKind.HOOKS: QT_TRANSLATE_NOOP("Moving", "Backup hooks"),
}
_STATES = {
    ItemState.NEW: (QT_TRANSLATE_NOOP("Moving", "New"), Tone.ACTIVE),
    ItemState.SAME: (QT_TRANSLATE_NOOP("Moving", "The same"), Tone.IDLE),
    ItemState.DIFFERS: (QT_TRANSLATE_NOOP("Moving", "Different"), Tone.PENDING),
    ItemState.REFUSED: (QT_TRANSLATE_NOOP("Moving", "Not possible"), Tone.FAILED),
}
_FIELDS = {
    "name": QT_TRANSLATE_NOOP("Moving", "name"),
    "address": QT_TRANSLATE_NOOP("Moving", "address"),
    "port": QT_TRANSLATE_NOOP("Moving", "port"),
    "user": QT_TRANSLATE_NOOP("Moving", "account"),
    "thumbprint_sha256": QT_TRANSLATE_NOOP("Moving", "certificate"),
    "allows_plain_transport": QT_TRANSLATE_NOOP("Moving", "unencrypted transport"),
    "former_addresses": QT_TRANSLATE_NOOP("Moving", "former addresses"),
    "transports": QT_TRANSLATE_NOOP("Moving", "transport modes"),
    "root_path": QT_TRANSLATE_NOOP("Moving", "path"),
    "note": QT_TRANSLATE_NOOP("Moving", "note"),
    "encryption": QT_TRANSLATE_NOOP("Moving", "encryption"),
    "platform": QT_TRANSLATE_NOOP("Moving", "virtual platform"),
    "standby": QT_TRANSLATE_NOOP("Moving", "standby machine"),
    "target_path": QT_TRANSLATE_NOOP("Moving", "target path"),
    "vms": QT_TRANSLATE_NOOP("Moving", "VMs"),
    "advanced": QT_TRANSLATE_NOOP("Moving", "advanced settings"),
    "policy": QT_TRANSLATE_NOOP("Moving", "policy"),
    "proof": QT_TRANSLATE_NOOP("Moving", "proofs of restore"),
    "desktop": QT_TRANSLATE_NOOP("Moving", "desktop"),
    "email": QT_TRANSLATE_NOOP("Moving", "e-mail"),
    "webhook": QT_TRANSLATE_NOOP("Moving", "webhook"),
    "digest_at": QT_TRANSLATE_NOOP("Moving", "time of the digest"),
    "before": QT_TRANSLATE_NOOP("Moving", "before each backup"),
    "after": QT_TRANSLATE_NOOP("Moving", "after each backup"),
}


def kind_word(item: ImportItem) -> str:
    """Return what a part is."""
    return QCoreApplication.translate("Moving", str(_KINDS[item.kind]))


def item_name(item: ImportItem) -> str:
    """Return what a part is called; settings have no name but their kind's."""
    return item.name if item.key else kind_word(item)


def state_word(item: ImportItem) -> str:
    """Return how a part compares with what is here."""
    return QCoreApplication.translate("Moving", str(_STATES[item.state][0]))


def state_pill(item: ImportItem) -> Pill | None:
    """Return how that is drawn; what is the same is quiet text."""
    if item.state is ItemState.SAME:
        return None
    return Pill(state_word(item), _STATES[item.state][1])


def deed_word(item: ImportItem) -> str:
    """Return what becomes of a part."""
    if item.state is ItemState.SAME:
        return QCoreApplication.translate("Moving", "Stays as it is")
    return choice_word(item.chosen, item)


def choice_word(choice: ItemChoice, item: ImportItem) -> str:
    """Return what a choice does with a part."""
    if choice is ItemChoice.ADD:
        return QCoreApplication.translate("Moving", "Add")
    if choice is ItemChoice.REPLACE:
        return QCoreApplication.translate("Moving", "Replace {name}").format(
            name=item.known_name or item_name(item)
        )
    if choice is ItemChoice.RENAME:
        return QCoreApplication.translate("Moving", "Keep both, under another name")
    return QCoreApplication.translate("Moving", "Leave out")


def reason_words(item: ImportItem) -> str:
    """Return what differs, why a part cannot be taken in, or which programs it runs; else an empty text."""
    if item.problem is not None:
        return param_text(item.problem)
    found = [
        QCoreApplication.translate("Moving", str(_FIELDS[name])) for name in item.differences if name in _FIELDS
    ]
    runs = QCoreApplication.translate("Moving", "runs {command}")
    return ", ".join([*found, *(runs.format(command=command) for command in item.commands)])


def about_item(item: ImportItem) -> str | None:
    """Return what a tooltip says of a part: what it is known by, what differs, and the programs it runs."""
    return lines(text for text in (item.about, reason_words(item)) if text) or None
