"""What the doctor can find about the privileges of an account."""

from app.contract.doctor import Severity
from app.engine.doctor.kinds import FindingKind


class CanBackUp(FindingKind):
    """The account may do all that a backup does."""

    code = "doctor.can_back_up"
    message_template = "The account has all privileges for backups"


class CanRestore(FindingKind):
    """The account may do all that a restore does."""

    code = "doctor.can_restore"
    message_template = "The account has all privileges for restores"


class PrivilegeMissingForBackup(FindingKind):
    """Backups need it."""

    code = "doctor.privilege_missing_backup"
    severity = Severity.ERROR
    message_template = "The account lacks {privilege}: backups are not possible"
    hint_template = "Add the privilege to the account's role in vCenter, with propagation to children."


class PrivilegeMissingForRestore(FindingKind):
    """Restores need it."""

    code = "doctor.privilege_missing_restore"
    severity = Severity.WARNING
    message_template = "The account lacks {privilege}: backups work, restores do not"
    hint_template = "Add the privilege to the account's role in vCenter, with propagation to children."


class PrivilegeForTracking(FindingKind):
    """Without it changed block tracking cannot be used."""

    code = "doctor.privilege_tracking"
    severity = Severity.WARNING
    message_template = "The account lacks {privilege}: every backup reads whole disks"
    hint_template = "Add the privilege to the account's role in vCenter, with propagation to children."


class PrivilegeForHotAdd(FindingKind):
    """Without it disks are not attached to the VM that the program runs in."""

    code = "doctor.privilege_hotadd"
    severity = Severity.NOTICE
    message_template = (
        "The account lacks {privilege}: disks are not read and written by HotAdd, where this program runs in a VM "
        "of the platform"
    )
    hint_template = "If HotAdd is wanted, add the privilege to the account's role, at least on that VM."


class PrivilegeForFiles(FindingKind):
    """Without it some files of a VM cannot be read."""

    code = "doctor.privilege_files"
    severity = Severity.WARNING
    message_template = "The account lacks {privilege}: NVRAM and .vmx are not in the restore points"
    hint_template = "Add the privilege to the account's role in vCenter, with propagation to children."


class PrivilegeForTemplates(FindingKind):
    """Without it a restored template is a VM."""

    code = "doctor.privilege_templates"
    severity = Severity.WARNING
    message_template = "The account lacks {privilege}: templates are restored as VMs"
    hint_template = "Add the privilege to the account's role in vCenter, with propagation to children."


class PrivilegeForVApps(FindingKind):
    """Without it a VM is not restored into its vApp."""

    code = "doctor.privilege_vapps"
    severity = Severity.WARNING
    message_template = "The account lacks {privilege}: VMs cannot be restored into their vApps"
    hint_template = "Add the privilege to the account's role in vCenter, with propagation to children."


class PrivilegeForVAppOrder(FindingKind):
    """Without it a restored VM starts last in its vApp."""

    code = "doctor.privilege_vapp_order"
    severity = Severity.WARNING
    message_template = "The account lacks {privilege}: restored VMs lose their place in the order of their vApps"
    hint_template = "Add the privilege to the account's role in vCenter, with propagation to children."
