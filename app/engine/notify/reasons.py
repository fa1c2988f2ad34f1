"""Why a notification cannot be sent: the reasons inside the errors of this package."""

from typing import Final

from app.domain.messages import Message, MessageKind

PROXY_ADDRESS: Final = MessageKind(
    "notify.proxy_address", "the proxy that the environment names has no usable address"
)
PROXY_KIND: Final = MessageKind(
    "notify.proxy_kind",
    "the environment names a proxy of a kind that is not supported; set NO_PROXY for this server",
)
ADDRESS: Final = MessageKind("notify.address", "the address cannot be used: {reason}")
ACCOUNT_REFUSED: Final = MessageKind("notify.account_refused", "the account was refused (answer {code})")
NOT_SUPPORTED: Final = MessageKind("notify.not_supported", "the mail server cannot do what is asked of it")
RECIPIENTS_REFUSED: Final = MessageKind("notify.recipients_refused", "the recipients {recipients} were refused")
ANSWER: Final = MessageKind("notify.answer", "the mail server answered with the code {code}")
ANSWER_MEANING: Final = MessageKind(
    "notify.answer_meaning", "{meaning} (the mail server answered with the code {code})"
)
ENDED: Final = MessageKind("notify.ended", "the mail server ended the connection")
SAYS_TOO_MUCH: Final = MessageKind("notify.says_too_much", "it says more than a server of its kind does")
FIELD: Final = MessageKind("notify.field", "{field}: {reason}")
WEBHOOK: Final = MessageKind("notify.webhook", "the webhook")

_SMTP: Final = {
    421: MessageKind("smtp.421", "the mail server is not available now"),
    450: MessageKind("smtp.450", "the mailbox is not available now"),
    451: MessageKind("smtp.451", "the mail server has an error of its own"),
    452: MessageKind("smtp.452", "the mail server has no space left"),
    502: MessageKind("smtp.502", "the mail server does not know this command"),
    530: MessageKind("smtp.530", "the mail server wants a login"),
    550: MessageKind("smtp.550", "the mailbox is not available, or the message was rejected"),
    551: MessageKind("smtp.551", "the recipient is not of this mail server"),
    552: MessageKind("smtp.552", "the message is too large, or the mailbox is full"),
    553: MessageKind("smtp.553", "an address is not allowed"),
    554: MessageKind("smtp.554", "the mail server rejected the message"),
}
"""Source: RFC 5321, 4.2.3."""


def answer_reason(code: int, text: str) -> Message:
    """Return what the reply of a mail server means, with its own words as details."""
    meaning = _SMTP.get(code)
    if meaning is None:
        return ANSWER.fill(code=code, details=text)
    return ANSWER_MEANING.fill(code=code, meaning=meaning, details=text)
