"""The English text of stored log lines: the one list of what every layer writes to the operator's log."""

from types import ModuleType
from typing import Final

import app.engine.consolidation.messages
import app.engine.export.messages
import app.engine.history.messages
import app.engine.hooks.run
import app.engine.instant.messages
import app.engine.messages
import app.engine.migration.messages
import app.engine.moving.messages
import app.engine.notify.messages
import app.engine.platforms.messages
import app.engine.proof.messages
import app.transport.messages
import app.vsphere.messages
from app.domain.messages import MessageKind
from app.engine.messages import MessageCatalogue

_MODULES: Final[tuple[ModuleType, ...]] = (
    app.engine.messages,
    app.engine.history.messages,
    app.engine.hooks.run,
    app.engine.notify.messages,
    app.engine.consolidation.messages,
    app.engine.platforms.messages,
    app.engine.export.messages,
    app.engine.instant.messages,
    app.engine.proof.messages,
    app.engine.migration.messages,
    app.engine.moving.messages,
    app.transport.messages,
    app.vsphere.messages,
)


def log_texts() -> MessageCatalogue:
    """Return the kinds of log lines of this version, by their codes."""
    return MessageCatalogue(
        value for module in _MODULES for value in vars(module).values() if isinstance(value, MessageKind)
    )
