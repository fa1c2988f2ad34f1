"""Choices of a backup."""

from enum import Enum


class ChangeTracking(Enum):
    """Whether a backup uses the platform's changed block tracking (快速备份)."""

    AUTOMATIC = "automatic"  # 自动设置快速备份: use it, and switch it on where it is off
    IF_ENABLED = "if_enabled"  # use it only where it is on already
    OFF = "off"  # read the whole disk every time
