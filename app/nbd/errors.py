"""What may go wrong when disks are offered over NBD."""

from app.domain.errors import OperationalError


class NbdSocketUnavailable(OperationalError):
    """The Unix socket cannot be made."""

    code = "nbd.socket_unavailable"
    message_template = "NBD cannot make its socket: {detail}."
    hint_template = "Check the folder for temporary files (TMPDIR): its free space, its rights and its length."


class NbdPortUnavailable(OperationalError):
    """The port cannot be listened on."""

    code = "nbd.port_unavailable"
    message_template = "NBD cannot listen on port {port}: {detail}."
    hint_template = "Choose another port, or leave it to the program."
