"""Stretches of time that statistics are about."""

from enum import Enum


class StatisticsPeriod(Enum):
    """近一周, 近一月, 近一年."""

    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
