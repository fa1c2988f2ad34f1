"""Plans and policies as words, and what is wrong with a field as a sentence. GUI thread."""

from collections.abc import Iterable

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from app.contract.rules import OneTime, Policy
from app.domain.messages import Param
from app.domain.policies import LAST_DAY, Plan, PolicyUnit, Retention, Weekday
from app.domain.problems import problem_message
from app.domain.units import filled
from app.views import formatting
from app.views.words import backup_kind_word, said_text

_UNITS = {
    PolicyUnit.DAILY: QT_TRANSLATE_NOOP("PolicyWords", "Daily"),
    PolicyUnit.WEEKLY: QT_TRANSLATE_NOOP("PolicyWords", "Weekly"),
    PolicyUnit.MONTHLY: QT_TRANSLATE_NOOP("PolicyWords", "Monthly"),
    PolicyUnit.QUARTERLY: QT_TRANSLATE_NOOP("PolicyWords", "Quarterly"),
}
_RETENTION = {
    PolicyUnit.DAILY: QT_TRANSLATE_NOOP("PolicyWords", "Retention (days)"),
    PolicyUnit.WEEKLY: QT_TRANSLATE_NOOP("PolicyWords", "Retention (weeks)"),
    PolicyUnit.MONTHLY: QT_TRANSLATE_NOOP("PolicyWords", "Retention (months)"),
    PolicyUnit.QUARTERLY: QT_TRANSLATE_NOOP("PolicyWords", "Retention (quarters)"),
}
_PERIODS = {
    PolicyUnit.DAILY: QT_TRANSLATE_NOOP("PolicyWords", "Points stay for {count} {count:day/days}"),
    PolicyUnit.WEEKLY: QT_TRANSLATE_NOOP("PolicyWords", "Points stay for {count} {count:week/weeks}"),
    PolicyUnit.MONTHLY: QT_TRANSLATE_NOOP("PolicyWords", "Points stay for {count} {count:month/months}"),
    PolicyUnit.QUARTERLY: QT_TRANSLATE_NOOP("PolicyWords", "Points stay for {count} {count:quarter/quarters}"),
}
_GENERATIONS = {
    "days": QT_TRANSLATE_NOOP("PolicyWords", "{count} {count:day/days}"),
    "weeks": QT_TRANSLATE_NOOP("PolicyWords", "{count} {count:week/weeks}"),
    "months": QT_TRANSLATE_NOOP("PolicyWords", "{count} {count:month/months}"),
    "years": QT_TRANSLATE_NOOP("PolicyWords", "{count} {count:year/years}"),
}
_WEEKDAYS = {
    Weekday.MONDAY: QT_TRANSLATE_NOOP("PolicyWords", "Mon"),
    Weekday.TUESDAY: QT_TRANSLATE_NOOP("PolicyWords", "Tue"),
    Weekday.WEDNESDAY: QT_TRANSLATE_NOOP("PolicyWords", "Wed"),
    Weekday.THURSDAY: QT_TRANSLATE_NOOP("PolicyWords", "Thu"),
    Weekday.FRIDAY: QT_TRANSLATE_NOOP("PolicyWords", "Fri"),
    Weekday.SATURDAY: QT_TRANSLATE_NOOP("PolicyWords", "Sat"),
    Weekday.SUNDAY: QT_TRANSLATE_NOOP("PolicyWords", "Sun"),
}


def _translate(text: object) -> str:
    return QCoreApplication.translate("PolicyWords", str(text))


def unit_word(unit: PolicyUnit) -> str:
    """Return a type of plan's word: 每天, 每周, 每月, 每季."""
    return _translate(_UNITS[unit])


def retention_label(unit: PolicyUnit) -> str:
    """Return the label of the retention with its unit: 数据保留期限（天）."""
    return _translate(_RETENTION[unit])


def weekday_word(day: Weekday) -> str:
    """Return a weekday's short word."""
    return _translate(_WEEKDAYS[day])


def month_day_word(day: int) -> str:
    """Return a day of the month; 31 is the last day."""
    if day >= LAST_DAY:
        return QCoreApplication.translate("PolicyWords", "the last day")
    return QCoreApplication.translate("PolicyWords", "day {day}").format(day=day)


def plan_words(plan: Plan) -> str:
    """Return when a plan runs, as a sentence: 每天 17:51."""
    times = _list(f"{at:%H:%M}" for at in sorted(plan.times))
    if plan.unit is PolicyUnit.DAILY:
        return QCoreApplication.translate("PolicyWords", "Every day at {times}").format(times=times)
    if plan.unit is PolicyUnit.WEEKLY:
        days = _list(weekday_word(day) for day in sorted(plan.weekdays))
        text = QCoreApplication.translate("PolicyWords", "Every week on {days} at {times}")
        return text.format(days=days, times=times)
    day = month_day_word(plan.month_day)
    if plan.unit is PolicyUnit.MONTHLY:
        text = QCoreApplication.translate("PolicyWords", "Every month on {day} at {times}")
        return text.format(day=day, times=times)
    text = QCoreApplication.translate("PolicyWords", "Every quarter in month {month} on {day} at {times}")
    return text.format(month=plan.quarter_month, day=day, times=times)


def _list(words: Iterable[str]) -> str:
    # A list has its own comma in Chinese; the key says what it is for, since a bare comma is no text.
    comma = QCoreApplication.translate("PolicyWords", "{one}, {other}").format(one="", other="")
    return comma.join(words)


def retention_words(retention: Retention) -> str:
    """Return which points stay, as one line: 备份点保留 30 天；至少保留最新的 5 个…."""
    parts = [filled(_translate(_PERIODS[retention.unit]), {"count": retention.period})]
    if retention.keep_newest:
        text = QCoreApplication.translate("PolicyWords", "the newest {count} {count:stays/stay} in any case")
        parts.append(filled(text, {"count": retention.keep_newest}))
    counts = ((name, getattr(retention.gfs, name)) for name in _GENERATIONS)
    spans = [filled(_translate(_GENERATIONS[name]), {"count": count}) for name, count in counts if count]
    if spans:
        text = QCoreApplication.translate("PolicyWords", "one point stays for each of the last {spans}")
        parts.append(text.format(spans=_list(spans)))
    return _join(parts)


def policy_words(policy: Policy) -> str:
    """Return when a rule runs and what each run backs up, one plan after the other."""
    if isinstance(policy, OneTime):
        text = QCoreApplication.translate("PolicyWords", "Once, on {time}")
        return text.format(time=formatting.exact_time(policy.policy.start))
    template = QCoreApplication.translate("PolicyWords", "{plan} ({kind})")
    plans = (
        template.format(plan=plan_words(plan), kind=backup_kind_word(plan.kind)) for plan in policy.policy.plans
    )
    return _join(plans)


def kept_words(policy: Policy) -> str:
    """Return which points of a rule stay."""
    if isinstance(policy, OneTime):
        return QCoreApplication.translate("PolicyWords", "Its point stays until the rule goes")
    return retention_words(policy.policy.retention)


def _join(parts: Iterable[str]) -> str:
    mark = QCoreApplication.translate("PolicyWords", "{one}; {other}").format(one="", other="")
    return mark.join(parts)


def problem_text(code: str, value: Param = "") -> str:
    """Return what is wrong with a field, from the code that the engine gave."""
    return said_text(problem_message(code, value))
