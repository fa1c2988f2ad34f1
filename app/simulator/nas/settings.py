"""How hosts deal with NFS servers: what on a real host are its advanced settings."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class NasSettings:
    """Settings of all hosts; may be changed while they run, for what is mounted from then on. Thread: any."""

    port: int | None = None
    """Where NFS and MOUNT of every server are; None asks its port mapper at port 111, as a host does."""
    most_volumes: int = 32
    """How many exports a host mounts (``NFS.MaxVolumes``, 32 in newer releases and 8 in old ones)."""
    mount_timeout_s: float = 15.0
    """How long a mount may take."""
    heartbeat_s: float = 12.0
    """How often a server is asked whether it is there (``NFS.HeartbeatFrequency``)."""
    silence_s: float = 5.0
    """After how long without an answer it counts as away (``NFS.HeartbeatTimeout``)."""
    apd_timeout_s: float = 140.0
    """After how long away the host's own work is refused at once (``Misc.APDTimeout``); guests go on waiting."""
