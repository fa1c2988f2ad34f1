"""Notifications on the desktop: an event, which the tray of whatever window is attached shows."""

from app.core.bus import EventBus
from app.domain.engine_events import NotificationRaised
from app.engine.notify.notice import Notice, NoticeKind


class DesktopSink:
    """Publishes notifications. Thread: any."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    def send(self, notice: Notice) -> None:
        """Publish a notice; always works, whether or not a window shows it."""
        if notice.kind is not NoticeKind.FAILURE:
            self._bus.publish(NotificationRaised(at=notice.at, title=notice.title, text=notice.text))
            return
        failure = notice.failures[0]
        self._bus.publish(
            NotificationRaised(
                at=notice.at,
                title=notice.title,
                text=f"{failure.error.message} {failure.error.hint}",
                task=failure.record.id,
                vm=failure.record.vm,
                vm_name=failure.record.vm_name,
                rule_name=failure.record.rule_name,
                code=failure.error.code,
                template=failure.error.template,
                params=failure.error.params,
            )
        )
