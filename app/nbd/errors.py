"""What may go wrong when disks are offered over NBD."""

from app.domain.errors import OperationalError


class NbdPortUnavailable(OperationalError):
    """The port cannot be listened on."""

    code = "nbd.port_unavailable"
    message_template = "NBD cannot listen on port {port}: {detail}"
    hint_template = "Choose another port, or leave it to the program."
