"""What can go wrong with a notification."""

from app.domain.errors import OperationalError


class SinkFailed(OperationalError):
    """A notification could not be delivered now."""

    code = "notify.failed"
    message_template = "The notification could not be sent to {target}: {detail}."
    hint_template = "Check the address and the network; it is tried again by itself."
    retryable = True


class SinkRefused(OperationalError):
    """The receiver did not accept the notification, and would not the next time either."""

    code = "notify.refused"
    message_template = "{target} did not accept the notification: {detail}."
    hint_template = "Correct the account, the password, the addresses or the certificate, and send a test."
