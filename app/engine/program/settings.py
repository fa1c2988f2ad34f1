"""How the engine works: limits, times and sizes."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of the engine.

    Raises:
        ValueError: a value is out of its bounds.
    """

    max_tasks: int = 8
    """How many tasks run at once (``bk_tsk_thd``)."""
    transfer_buffer_mib: int = 4
    """Transfer buffer of one task (``i2vp_transbuffer``)."""
    host_buffer_mib: int = 32
    """Transfer buffers that the tasks on one ESXi host may use together."""
    may_pack_harder: bool = True
    """Whether a backup may pack harder than its repository says while its source holds it up (``packing``)."""
    audit_blocks: int = 64
    """Unreported blocks per disk that are read all the same, to check change tracking; 0: no audit."""
    audit_block_bytes: int = 64 * 1024
    """Size of one audited block; change tracking counts in areas of this size."""
    snapshot_removal_deadline_s: float = 3600.0
    """How long removing a snapshot, with consolidation, may stand still or fail; what moves is waited for."""
    snapshot_removal_pause_s: float = 5.0
    """Pause before a failed removal is tried again."""
    removal_after_stop_s: float = 30.0
    """How long a task that was asked to stop still waits for the removal of its snapshot, which then goes on."""
    removal_moment_s: float = 60.0
    """How long the removal of a snapshot is waited for where no task needs it."""
    platform_outage_s: float = 300.0
    """How long a task waits for a platform that cannot be reached (``platform_wait_s``); 0: not at all."""
    traffic_interval_s: float = 1.0
    """How often the counters of running tasks are looked at for the charts."""
    standby_reserve_bytes: int = 64 * MIB
    """A backup does not begin with less free space than this at the standby."""

    stop_wait_s: float = 60.0
    """How long a command waits for tasks that it has stopped to clean up."""
    missed_after_s: float = 300.0
    """A planned run that is later than this was missed."""
    maintenance_look_s: float = 600.0
    """How often maintenance that is due is looked for while nothing else runs; 0 switches it off."""
    proof_look_s: float = 5.0
    """How often a proof of restore looks at the VM that it started; the first looks see the firmware."""
    proof_schedule_s: float = 60.0
    """How often it is looked which restore points are to be proven; 0 switches it off."""
    tick_s: float = 20.0
    """How often the scheduler looks at the clock although no run is due; 0: only when it is called."""

    migration_passes: int = 20
    """After so many passes a migration is ready, however much its VM writes."""
    migration_follow_s: float = 1800.0
    """How old the last pass of a migration that is ready may become before what has changed is copied again."""
    migration_stale_s: float = 60.0
    """A cut-over copies while the source runs first, where the last pass is older than this."""
    guest_shutdown_s: float = 300.0
    """How long the system in a source may take to shut down before the VM is powered off."""
    guest_start_s: float = 600.0
    """How long the system in a started target may take to report that it runs, where that is to be proven."""
    guest_look_s: float = 2.0
    """How often a VM that shuts down or starts is looked at."""

    def __post_init__(self) -> None:
        if self.max_tasks < 1 or self.transfer_buffer_mib < 1 or self.host_buffer_mib < self.transfer_buffer_mib:
            raise ValueError("at least one task with its transfer buffer has to fit")
        if self.audit_blocks < 0 or self.audit_block_bytes < 512:
            raise ValueError("the audit needs zero or more blocks of at least 512 bytes")
