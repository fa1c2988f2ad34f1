"""What goes wrong in a session."""


class ProtocolViolation(Exception):
    """The client speaks something else; the connection is closed."""


class Refusal(Exception):
    """A request is answered with an error, and the session goes on."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
