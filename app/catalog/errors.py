"""Errors of the catalog."""

from app.domain.errors import OperationalError


class CatalogDamaged(OperationalError):
    """The database file does not hold together."""

    code = "catalog.damaged"
    message_template = "The catalog {location} is damaged: {detail}."
    hint_template = (
        "Start the program once with --catalog restore to take the newest safety copy, or with --catalog new to "
        "begin with an empty catalog; the file is set aside. No backup data is lost: when platforms and standby "
        "machines are registered again, the restore points are read from the standby paths."
    )


class CatalogLost(OperationalError):
    """There was a catalog, and it is not there any more."""

    code = "catalog.lost"
    message_template = (
        "The catalog {location} is empty or missing, though this installation has used one. "
        "Newest safety copy: {copy}."
    )
    hint_template = (
        "Bring the file back, or start the program once with --catalog restore to take the safety copy, "
        "or with --catalog new to begin with an empty catalog."
    )


class CatalogForeign(OperationalError):
    """Another catalog is in the place of the one that was used last."""

    code = "catalog.foreign"
    message_template = (
        "The catalog {location} is not the one that this installation used last. Newest safety copy: {copy}."
    )
    hint_template = (
        "Bring the right file back, or start the program once with --catalog restore to take the safety copy, "
        "or with --catalog accept where this one was put there on purpose."
    )


class NoCatalogCopy(OperationalError):
    """There is no safety copy that could be restored."""

    code = "catalog.no_copy"
    message_template = "There is no whole safety copy of the catalog in {folder}."
    hint_template = (
        "Bring the catalog back from a backup of this machine, or begin with an empty one: --catalog new."
    )


class CatalogUnavailable(OperationalError):
    """The database cannot be opened, read or written right now."""

    code = "catalog.unavailable"
    message_template = "The catalog {location} cannot be used: {detail}."
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


class CatalogTooOld(OperationalError):
    """The database was made by a version before the first release."""

    code = "catalog.too_old"
    message_template = "The catalog {location} was made by a version before the first release (schema {revision})."
    hint_template = (
        "Start the program once with --catalog new to begin with an empty catalog; the file is set aside. "
        "No backup data is lost: when platforms and standby machines are registered again, the restore points are "
        "read from the standby paths."
    )


class CatalogRowInTheWay(OperationalError):
    """What was to be stored is there already, in a row that no list shows."""

    code = "catalog.row_in_the_way"
    message_template = (
        "{name} cannot be stored: a row of the table {table} in the catalog that cannot be read "
        "has its name or address."
    )
    hint_template = "Start the program once with --catalog restore to take the newest safety copy."
