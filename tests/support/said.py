"""Reasons that only a test gives."""

from app.domain.messages import Message, MessageKind


def said(text: str) -> Message:
    """Return a text as a reason that stands inside another message."""
    return MessageKind("test.reason", text).fill()
