"""The backup data at a standby path: the front door is :class:`app.repository.facade.Repository`."""

from app.repository.facade import Repository
from app.repository.reader import PointReader
from app.repository.values import (
    Damage,
    DamagedPoint,
    DamageKind,
    DiskDraft,
    PointDraft,
    PointListing,
    RepositorySettings,
    VerifyReport,
)
from app.repository.writer import PointWriter

__all__ = [
    "Damage",
    "DamageKind",
    "DamagedPoint",
    "DiskDraft",
    "PointDraft",
    "PointListing",
    "PointReader",
    "PointWriter",
    "Repository",
    "RepositorySettings",
    "VerifyReport",
]
