"""What to do about a catalog that is not the one that was used last."""

from enum import Enum


class CatalogChoice(Enum):
    """What to do about a catalog that cannot be the right one."""

    RESTORE = "restore"
    """Take the newest safety copy."""
    NEW = "new"
    """Begin with an empty one."""
    ACCEPT = "accept"
    """Take what is there, though it is another one."""
