"""A pause after which something is done once: after typing, after resizing."""

from PySide6.QtCore import QObject, QTimer


class Pause(QTimer):
    """Ends once, its length after the last :meth:`restart`. Thread: GUI.

    Connect signals to :meth:`restart` and never to ``start``: Qt hands a signal's number to ``start`` as
    milliseconds, so that a port of 443 became a pause of 443 ms, and port 65535 one of a minute.
    """

    def __init__(self, length_ms: int, parent: QObject) -> None:
        super().__init__(parent)
        self.setSingleShot(True)
        self.setInterval(length_ms)

    def restart(self, *_: object) -> None:
        """Start over, whatever a signal carries."""
        self.start()
