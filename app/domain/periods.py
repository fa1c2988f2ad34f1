"""Periods of time that statistics cover."""

from enum import Enum


class StatisticsPeriod(Enum):
    """近一周, 近一月, 近一年."""

    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
