"""What keeps the server from serving, for the operator."""

from app.domain.errors import OperationalError


class NfsPortUnavailable(OperationalError):
    """A port of the server is taken, or may not be had."""

    code = "nfs.port_unavailable"
    message_template = "The NFS server cannot listen on {address}, port {port}: {detail}."
    hint_template = (
        "Ports 2049 and 111 must be free for it: end other NFS servers on this machine, such as Windows' "
        "Server for NFS. On Linux, ports below 1024 need the service that the package installs."
    )


class PortMapperRefused(OperationalError):
    """The port mapper of this machine does not take our programs."""

    code = "nfs.port_mapper_refused"
    message_template = (
        "Another port mapper has port 111 on this machine, and does not take the NFS server: {detail}."
    )
    hint_template = "End it, or run the engine as the service that the package installs, which may register there."
