"""Kinds of backup and the states a task goes through. The Chinese words in the comments are the screen's."""

from enum import Enum

from app.domain.messages import Message, MessageKind


class BackupKind(Enum):
    """What a backup reads."""

    FULL = "full"  # 全备
    INCREMENTAL = "incremental"  # 增量: changes since the newest point
    DIFFERENTIAL = "differential"  # 差异: changes since the last full

    def said(self) -> Message:
        """Return the word as a message."""
        return _BACKUP_WORDS[self].fill()


class TaskKind(Enum):
    """What a task does."""

    BACKUP = "backup"
    RESTORE = "restore"
    VERIFY = "verify"
    EXPORT = "export"
    GARBAGE_COLLECTION = "sweep"
    MIGRATION = "migration"
    CLOSING = "closing"
    CONSOLIDATION = "consolidation"
    INSTANT_START = "instant_start"
    INSTANT_STOP = "instant_stop"
    INSTANT_FINISH = "instant_finish"
    INSTANT_KEEP = "instant_keep"
    PROOF = "proof"

    def said(self) -> Message:
        """Return the word as a message."""
        return _TASK_WORDS[self].fill()


_BACKUP_WORDS = {
    BackupKind.FULL: MessageKind("word.backup.full", "full"),
    BackupKind.INCREMENTAL: MessageKind("word.backup.incremental", "incremental"),
    BackupKind.DIFFERENTIAL: MessageKind("word.backup.differential", "differential"),
}
_TASK_WORDS = {
    TaskKind.BACKUP: MessageKind("word.task.backup", "backup"),
    TaskKind.RESTORE: MessageKind("word.task.restore", "restore"),
    TaskKind.VERIFY: MessageKind("word.task.verify", "verification"),
    TaskKind.EXPORT: MessageKind("word.task.export", "export"),
    TaskKind.GARBAGE_COLLECTION: MessageKind("word.task.garbage_collection", "garbage collection"),
    TaskKind.MIGRATION: MessageKind("word.task.migration", "migration"),
    TaskKind.CLOSING: MessageKind("word.task.closing", "closing to other users"),
    TaskKind.CONSOLIDATION: MessageKind("word.task.consolidation", "disk consolidation"),
    TaskKind.INSTANT_START: MessageKind("word.task.instant_start", "instant recovery"),
    TaskKind.INSTANT_STOP: MessageKind("word.task.instant_stop", "end of an instant recovery"),
    TaskKind.INSTANT_FINISH: MessageKind("word.task.instant_finish", "move of an instant recovery"),
    TaskKind.INSTANT_KEEP: MessageKind("word.task.instant_keep", "keeping of an instant recovery"),
    TaskKind.PROOF: MessageKind("word.task.proof", "proof of restore"),
}


class TaskState(Enum):
    """Where a task stands, the documented states of backup and restore together."""

    STARTING = "starting"  # 启动
    IDLE = "idle"  # 空闲
    PENDING = "pending"  # 排队中
    PREPARING = "preparing"  # 备份准备, 准备中
    SAVING_CONFIGURATION = "saving_configuration"  # 备份虚拟机配置
    QUERYING_CHANGES = "querying_changes"  # 查询变化数据
    CHECKING_DATA = "checking_data"  # 检查数据
    CREATING_VM = "creating_vm"  # 创建虚机中
    RUNNING = "running"  # 执行中 N%, 恢复中 N%
    REMOVING_SNAPSHOT = "removing_snapshot"  # 删除快照中: the last byte is read
    VERIFYING = "verifying"  # 校验中
    STOPPING = "stopping"  # 正在停止: shown from the operator's stop to the end of the run, never stored
    STOPPED = "stopped"  # 停止
    UNKNOWN = "unknown"  # 未知
    COMPLETED = "completed"  # 已完成
    FAILED = "failed"  # 失败

    @property
    def is_final(self) -> bool:
        """Return whether a task in this state will never move again."""
        return self in _FINAL

    @property
    def can_be_stopped(self) -> bool:
        """Return whether a task in this state can be asked to stop: it has not ended, and was not asked before."""
        return not self.is_final and self is not TaskState.STOPPING


_FINAL = frozenset({TaskState.STOPPED, TaskState.COMPLETED, TaskState.FAILED})


def shown_state(state: TaskState, *, is_asked_to_stop: bool) -> TaskState:
    """Return what is shown of a task's stored state: one that was asked to stop is stopping until it has ended."""
    return TaskState.STOPPING if is_asked_to_stop and not state.is_final else state


class TransportMode(Enum):
    """How disk data travels between the platform and this machine."""

    NFC = "nfc"  # native NFC, data in plain text after a TLS handshake ("nbd")
    NFC_SSL = "nfc_ssl"  # native NFC inside TLS ("nbdssl")
    HTTPS = "https"  # datastore files over HTTPS
    SAN = "san"
    HOTADD = "hotadd"
    NFS = "nfs"  # the datastore's NFS server, past the ESXi hosts ("Direct NFS")
    NBD = "nbd"  # VDDK
    NBD_SSL = "nbd_ssl"  # VDDK
    LOCAL = "local"  # a file on this machine


PLAIN_MODES = frozenset({TransportMode.NFC, TransportMode.NBD, TransportMode.NFS})
"""Modes that send a disk's data unencrypted over the network."""
