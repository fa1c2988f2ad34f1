"""What F1 shows in a dialog: what it is for and what needs care. GUI thread.

The texts are here by the dialogs' class names, so that a test can hold that every dialog has one.
"""

from functools import partial
from typing import Final

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, QPoint
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QWhatsThis

_TEXTS: Final = {
    "PlatformDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Registers a vCenter server or a single ESXi host by its address and an account.</p><p>The "
        "server's certificate is shown before any password is sent. Compare its thumbprint with the one "
        "on the server, then confirm it; when it changes later, it is asked about again.</p>",
    ),
    "TransportsDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>The ways to the disks of this platform, from the first that is tried to the last.</p><p><b>Probe</b> "
        "opens one disk that nobody writes to in each of them, reads its beginning, and shows the speed or the "
        "reason. HotAdd attaches it to the VM of this program for a moment; nothing else is changed.</p>",
    ),
    "StandbyDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Registers a disk or share on which backups are kept. Restore points that are there already "
        "are listed at once.</p><p>The path is one of this machine; a share has to be mounted before.</p>",
    ),
    "RuleEditor": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>A rule says which VMs are backed up, where to, when, and how long restore points are "
        "kept.</p><p>Once it is made, only its policy can be changed; VMs can be added. The calendar "
        "shows which points will exist on a day: choose one with the mouse or the arrow keys.</p>",
    ),
    "PlanDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>When the rule runs and what a run backs up. Several run times make several runs a "
        "day.</p><p>The last day of a month is meant wherever a month is too short.</p>",
    ),
    "VmPicker": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Check the VMs to back up; the filter finds them by name. A VM that is in another rule is grey"
        " and names that rule.</p>",
    ),
    "DirectoryBrowser": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Choose the directory below the standby machine's root, or type a new one: it is made when it "
        "is first used. Directories that hold backups are marked.</p>",
    ),
    "RestoreDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Brings one VM back from a restore point: as a new VM, or in the original's place.</p><p>The "
        "menu of a restore point verifies or deletes it, and shows the deleted ones, which can be taken "
        "back.</p>",
    ),
    "GroupRestoreDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Brings the VMs of a rule back over their originals, each from the point chosen next to it. "
        "Leave out the VMs that stay as they are.</p>",
    ),
    "MigrationDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Copies VMs to another platform, or to another host or datastore of the same one, while they run. All "
        "of them go to one place; each can have another name there.</p><p>What is not chosen is as at the "
        "source. "
        "What the target will not have is said below the choice, before anything is done.</p>",
    ),
    "MigrationVmPicker": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Check the VMs to migrate; the filter finds them by name. A VM that is being migrated already is grey "
        "and names its target.</p>",
    ),
    "StopMigrationDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Ends the copying. Unless you choose to delete what was copied, the migration can be resumed, and "
        "copies only what is missing. The source is not touched; a cut-over is undone.</p>",
    ),
    "MigrationDetails": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Everything about one migration, as it is now. The log is that of its latest task.</p>",
    ),
    "ProveDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Starts the VM of a restore point on a host, without a network and with limited CPUs and "
        "memory, until its system has come up, and takes it away again. Nothing is copied, and the "
        "backup is never changed.</p><p>Where it cannot be started, its partition tables and file "
        "systems are read instead.</p>",
    ),
    "ProofDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>What a proof found, and what the console of the VM showed when it ended.</p><p>An "
        "instant recovery of the same restore point lets you look inside.</p>",
    ),
    "InstantDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Runs VMs straight from their restore points, at once: the host mounts a datastore of this machine, "
        "and nothing is copied before. Several VMs of a rule start one after the other, in the order of the "
        "list.</p><p>What a VM writes is kept apart from the backup at the standby machine. Move it to a "
        "datastore later, also while it runs, or stop it.</p>",
    ),
    "StopDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Takes the VM away from the platform. Unless you choose to delete what it wrote, it can be started "
        "again, or made a restore point.</p>",
    ),
    "FinishDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Moves the VM to a datastore of the platform for good. Afterwards nothing of this machine is needed "
        "for it, and its restore point is not in use any more.</p>",
    ),
    "ResumeDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Runs the VM again from the same restore point, with all that it had written before it was "
        "stopped.</p>",
    ),
    "InstantDetails": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>What the VM reads and writes here, and how long the standby machine has room for it at that rate. The "
        "figures are of the last seconds.</p>",
    ),
    "EmailDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Who is notified of failed tasks by e-mail, and through which server. The password is kept in the "
        "keyring. <b>Send a test</b> tries it before it is saved.</p>",
    ),
    "WebhookDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Failed tasks are sent as JSON to this address. With a secret each message is signed, so that "
        "the receiver can check whom it is from.</p>",
    ),
    "HooksDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Programs that run before and after the backup of each VM: to freeze an application, to forbid a "
        "backup at a bad moment, to let another system know how it went. They get their arguments line by line, "
        "as they stand there; dots are blanks, and Shift+Enter makes a line break inside of an argument.</p><p>A "
        "command fails when its exit status is not 0, it cannot be started, or its time is up. What it writes is "
        "in the log of the task: no secrets, please.</p>",
    ),
    "ConfirmDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Asks before something goes. The lines say what goes and what stays; Esc leaves everything as "
        "it is.</p>",
    ),
    "DeletionDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Deletes rules, or takes VMs out of one. Their restore points stay unless their data is "
        "deleted, too; then the name has to be typed.</p>",
    ),
    "FindingsDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>What would hinder a backup, worst first, each with what to do about it. Nothing is changed by"
        " looking.</p>",
    ),
    "DeletedPointsDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Deleted restore points that can still be taken back: select them and press Enter. After the "
        "time in the last column garbage collection removes them for good.</p>",
    ),
    "PinsDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Restore points that a console uses for long: a restore, a verification, an export, disks over NBD. A "
        "<b>pin</b> keeps each of them until its work has ended, also while the console's machine sleeps.</p><p>"
        "Where a console does not exist any more, select its pin and press Delete. A pin that cannot be read "
        "keeps every restore point of its directory from being deleted, and garbage from being collected.</p>",
    ),
    "OfferDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Lets other programs read the disks of a restore point as block devices (NBD): to copy files out, to "
        "compare, to boot a copy. Nothing can be written.</p><p>Over a TCP port each address is a secret: who "
        "knows it can read the disk, also that of an encrypted restore point. The list <b>Disks over NBD</b> on "
        "the page of restores shows what is offered, and ends it.</p>",
    ),
    "PassphraseDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>The passphrase opens what is encrypted with it. It cannot be read without the passphrase, so"
        " keep that in a safe place.</p>",
    ),
    "UnlockDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>The standby machine holds encrypted restore points. Its passphrase or a recovery key opens "
        "them on this machine.</p>",
    ),
    "EncryptDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>From now on restore points there are encrypted with keys that the passphrase opens. Make a "
        "recovery key and keep it apart from this machine.</p>",
    ),
    "EncryptionDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Which directories of the standby machine this console can open. Another passphrase and a recovery key"
        " open the same data: make a recovery key before you need one.</p>",
    ),
    "RecoverySheetDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>This key is shown once and kept nowhere. Print it or save it, lock it away, and only then tick the"
        " box.</p>",
    ),
    "ExportDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Writes what is set up here into one file, for another workstation. Passwords and keys are in it only "
        "with a passphrase, which nobody can find out again.</p>",
    ),
    "ImportDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>Compares a file with what is here. What is new is added; what differs is left unless you choose to "
        "replace it or to keep both. All of it is taken in at once, or nothing.</p>",
    ),
    "TakeOverDialog": QT_TRANSLATE_NOOP(
        "DialogHelp",
        "<p>The rules of another console at this standby machine become those of this one. Do this when its "
        "workstation is gone: from then on it writes nothing there.</p>",
    ),
}


def help_of(dialog: QDialog) -> str:
    """Return the help of a dialog in the reader's language; of its base class where it has none of its own."""
    for kind in type(dialog).__mro__:
        text = _TEXTS.get(kind.__name__)
        if text is not None:
            return QCoreApplication.translate("DialogHelp", str(text))
    return ""


def offer_help(dialog: QDialog) -> None:
    """Let F1 show the help of a dialog next to its title; any key or click closes it."""
    keys = QShortcut(QKeySequence(QKeySequence.StandardKey.HelpContents), dialog)
    keys.activated.connect(partial(_on_help, dialog))


def _on_help(dialog: QDialog) -> None:
    text = help_of(dialog)
    if text:
        QWhatsThis.showText(dialog.mapToGlobal(QPoint(dialog.width() // 3, 0)), text, dialog)
