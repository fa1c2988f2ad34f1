"""Errors of restore points that are in use."""

from app.domain.errors import OperationalError


class PinAtWork(OperationalError):
    """Work of this console holds a pin."""

    code = "point.pin_at_work"
    message_template = "This console uses the restore point {point} right now ({purpose})."
    hint_template = "Stop that work, or wait for its end: the pin ends with it."
