"""Kinds of backup and the states a task goes through. The Chinese words in the comments are the screen's."""

from enum import Enum


class BackupKind(Enum):
    """What a backup reads."""

    FULL = "full"  # 全备
    INCREMENTAL = "incremental"  # 增量: changes since the newest point
    DIFFERENTIAL = "differential"  # 差异: changes since the last full


class TaskKind(Enum):
    """What a task does."""

    BACKUP = "backup"
    RESTORE = "restore"
    VERIFY = "verify"
    EXPORT = "export"
    SWEEP = "sweep"
    MIGRATION = "migration"


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
    VERIFYING = "verifying"  # 校验中
    STOPPED = "stopped"  # 停止
    UNKNOWN = "unknown"  # 未知
    COMPLETED = "completed"  # 已完成
    FAILED = "failed"  # 失败

    @property
    def is_final(self) -> bool:
        """Tell whether a task in this state will never move again."""
        return self in _FINAL


_FINAL = frozenset({TaskState.STOPPED, TaskState.COMPLETED, TaskState.FAILED})


class TransportMode(Enum):
    """How disk data travels between the platform and this machine."""

    NFC = "nfc"  # native NFC, data in plain text after a TLS handshake ("nbd")
    NFC_SSL = "nfc_ssl"  # native NFC inside TLS ("nbdssl")
    HTTPS = "https"  # datastore files over HTTPS
    SAN = "san"
    HOTADD = "hotadd"
    NBD = "nbd"  # VDDK
    NBD_SSL = "nbd_ssl"  # VDDK
    LOCAL = "local"  # a file on this machine
