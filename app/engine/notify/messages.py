"""What notifications write to the operator's log."""

from app.domain.messages import MessageKind

SINK_GAVE_UP = MessageKind("notify.gave_up", "A notification by {sink} was given up: {detail}")
TOO_MANY = MessageKind(
    "notify.too_many", "Notifications pile up: {count} {count:failure was/failures were} not reported one by one"
)
