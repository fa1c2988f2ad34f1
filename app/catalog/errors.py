"""Errors of the catalog."""

from app.domain.errors import OperationalError


class CatalogDamaged(OperationalError):
    """The database file does not hold together."""

    code = "catalog.damaged"
    message_template = "The catalog {location} is damaged: {detail}"
    hint_template = (
        "Quit the program, move the file (and the ones beside it ending in -wal and -shm) aside, and start again. "
        "No backup data is lost: register platforms and standby machines again, "
        "and the restore points are read from the standby paths."
    )


class CatalogUnavailable(OperationalError):
    """The database cannot be opened, read or written right now."""

    code = "catalog.unavailable"
    message_template = "The catalog {location} cannot be used: {detail}"
    hint_template = (
        "Check that the disk is not full, that this account may write there, "
        "and that no other instance of the program holds it."
    )
    retryable = True


class CatalogTooNew(OperationalError):
    """The database was written by a newer version of the program."""

    code = "catalog.too_new"
    message_template = "The catalog {location} was written by a newer version (schema {revision})."
    hint_template = "Install the newer version again; this one would not understand all that is in it."
