"""What can be written on the command line."""

import argparse
from functools import partial
from typing import TYPE_CHECKING

from app.cli.ctl.migrationarguments import add_migration_arguments
from app.cli.ctl.movingparser import add_moving_commands, add_take_over_command
from app.cli.ctl.proofparser import add_proof_commands
from app.core.streams import CheckedParser
from app.domain.hooks import PHASES
from app.domain.images import ImageFormat
from app.domain.notifications import SinkKind
from app.domain.periods import StatisticsPeriod
from app.domain.states import BackupKind, TaskState

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_EPILOG = "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no engine runs."


def ctl_parser() -> argparse.ArgumentParser:
    """Return the parser; what it parses carries ``run``, the module and the name of the function that does it.

    Only names: loading what all commands need would take longer than most of them.
    """
    parser: argparse.ArgumentParser = CheckedParser(
        prog="debugctl", description="Control the Standfast engine that runs.", epilog=_EPILOG
    )
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    subjects = parser.add_subparsers(title="subjects", required=True, metavar="SUBJECT")
    _tasks(subjects)
    _rules(subjects)
    _points(subjects)
    _instant(subjects)
    _offers(subjects)
    _pins(subjects)
    _migrations(subjects)
    _proofs(subjects)
    _platforms(subjects)
    _standbys(subjects)
    _hooks(subjects)
    _notifications(subjects)
    _vddk(subjects)
    words = "the whole configuration, for another workstation"
    add_moving_commands(partial(_command, _subject(subjects, "config", words)))
    _program(subjects)
    return parser


def _subject(subjects: "Commands", name: str, words: str) -> "Commands":
    return subjects.add_parser(name, help=words).add_subparsers(title="commands", required=True, metavar="COMMAND")


def _command(commands: "Commands", name: str, run: str, words: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=words, description=words)
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="answer as JSON")
    parser.set_defaults(run=run)
    return parser


def _tasks(subjects: "Commands") -> None:
    back = _subject(subjects, "back", "what runs now")
    _command(back, "task", "tasks.back_task", "list the tasks that wait or run")
    commands = _subject(subjects, "task", "tasks")
    listing = _command(commands, "list", "tasks.list_tasks", "list tasks, newest first")
    listing.add_argument("--state", action="append", choices=[state.value for state in TaskState])
    listing.add_argument("--limit", type=_count, default=50)
    show = _command(commands, "show", "tasks.show_task", "show a task with the end of its log")
    show.add_argument("task")
    show.add_argument("--lines", type=_count, default=100)
    cancel = _command(commands, "cancel", "tasks.cancel_tasks", "ask tasks to stop")
    cancel.add_argument("tasks", nargs="+", metavar="task")


def _rules(subjects: "Commands") -> None:
    commands = _subject(subjects, "rule", "backup rules")
    _command(commands, "list", "rules.list_rules", "list rules")
    for name, run, words in (
        ("start", "rules.start_rules", "start all VMs of rules"),
        ("stop", "rules.stop_rules", "stop all VMs of rules, and the tasks that run for them"),
    ):
        _command(commands, name, run, words).add_argument("rules", nargs="+", metavar="rule")
    now = _command(commands, "run", "rules.run_rule", "back VMs of a rule up now")
    now.add_argument("rule")
    now.add_argument("--vm", action="append", default=[], help="only this VM; may be repeated")
    kinds = [kind.value for kind in BackupKind]
    now.add_argument("--kind", choices=kinds, default=BackupKind.INCREMENTAL.value)
    now.add_argument("--wait", action="store_true", help="wait for the end; 1 when a backup failed")
    words = "look for what would hinder its backups; 1 when something is wrong"
    _command(commands, "examine", "examination.examine_rule", words).add_argument("rule")
    retry = _command(commands, "retry", "rules.retry_rule", "show or change how failed backups are tried again")
    retry.add_argument("rule")
    retry.add_argument("--times", type=int, help="how often, 0 to 10; 0 never tries again")
    retry.add_argument("--after", type=int, metavar="MINUTES", help="how long after the failure")


def _points(subjects: "Commands") -> None:
    commands = _subject(subjects, "point", "restore points")
    listing = _command(commands, "list", "points.list_points", "list restore points, newest first")
    listing.add_argument("--vm")
    listing.add_argument("--standby")
    verify = _command(
        commands, "verify", "points.verify_point", "read a point back, every chunk against its digest"
    )
    export = _command(commands, "export", "points.export_point", "write disks of a point into image files")
    for parser in (verify, export):
        parser.add_argument("point")
        parser.add_argument("--standby", help="where the point is, when several have one of that key")
        parser.add_argument("--no-wait", dest="wait", action="store_false", help="return at once")
    export.add_argument("folder", help="a directory that exists, on the engine's machine")
    formats = [image.value for image in ImageFormat]
    export.add_argument("--format", choices=formats, default=ImageFormat.RAW.value)
    export.add_argument("--disk", action="append", type=int, default=[], help="device key; default: every disk")


def _instant(subjects: "Commands") -> None:
    commands = _subject(subjects, "instant", "VMs that run straight from their restore points")
    _instant_start(commands)
    _command(commands, "list", "instant.list_recoveries", "list them, newest first")
    _command(commands, "show", "instant.show_recovery", "show all about one").add_argument("name")
    stop = _command(commands, "stop", "instant.stop_recovery", "power its VM off and remove it from the platform")
    words = "delete what the VM wrote as well; without it that is kept, and the VM can be resumed"
    stop.add_argument("--discard", action="store_true", help=words)
    stop.add_argument("--yes", action="store_true", help="with --discard: without it only say what that would do")
    resume = _command(commands, "resume", "instant.resume_recovery", "run a stopped one again, as it was left")
    finish = _command(commands, "finish", "instant.finish_recovery", "move its VM to a datastore for good")
    words = "power the VM off, copy it, compare every block, start it; without it, it moves while it runs"
    finish.add_argument("--cold", action="store_true", help=words)
    words = "another datastore for a disk, by its device key; may be repeated"
    finish.add_argument(
        "--disk", action="append", type=_disk_place, default=[], metavar="KEY=DATASTORE", help=words
    )
    words = "make a restore point of a stopped one: what its point holds, and what the VM wrote since"
    keep = _command(commands, "keep", "instant.keep_recovery", words)
    for parser in (stop, resume, finish, keep):
        parser.add_argument("name", help="of the VM that runs from the point, or the beginning of its key")
        parser.add_argument("--no-wait", dest="wait", action="store_false", help="return at once")
    finish.add_argument("datastore", help="its name or id")
    for parser in (resume, finish):
        parser.add_argument("--off", dest="power_on", action="store_false", help="do not power the VM on")
    words = "list the addresses of the engine's machine at which hosts of a platform may find it"
    _command(commands, "addresses", "instant.list_addresses", words).add_argument("platform")


def _instant_start(commands: "Commands") -> None:
    words = "run VMs from restore points, one after the other in the order of the points"
    start = _command(commands, "start", "instant.start_recoveries", words)
    start.add_argument("points", nargs="+", metavar="point")
    start.add_argument("--standby", help="where the points are, when several have one of that key")
    start.add_argument("--platform", help="default: where the first point came from")
    start.add_argument("--rule", help="the rule that they are started for")
    words = "of the VM that runs, one for each point in their order; default: its own with -instant"
    start.add_argument("--name", action="append", default=[], help=words)
    start.add_argument("--datacenter", help="id, path or name; default: as backed up")
    start.add_argument("--host", help="id or name; default: as backed up")
    start.add_argument("--folder", help="names below the datacenter, joined by /; / is its own")
    words = "another network in the place of one, by their names; may be repeated"
    start.add_argument("--network", action="append", type=_pair, default=[], metavar="OLD=NEW", help=words)
    start.add_argument("--isolated", action="store_true", help="connect no network adapter to anything")
    start.add_argument("--off", dest="power_on", action="store_false", help="do not power the VMs on")
    words = "of this machine, at which hosts connect (TCP 111, 2049, UDP 111); default: the preferred one"
    start.add_argument("--address", help=words)
    start.add_argument("--no-wait", dest="wait", action="store_false", help="return at once")


def _offers(subjects: "Commands") -> None:
    commands = _subject(subjects, "nbd", "disks of restore points for other programs of this machine")
    offer = _command(commands, "offer", "offers.offer_point", "offer the disks of a point, read only")
    stop = _command(commands, "stop", "offers.stop_offer", "stop it; programs that read are cut off")
    for parser in (offer, stop):
        parser.add_argument("point")
        parser.add_argument("--standby", help="where the point is, when several have one of that key")
    words = "by a TCP port, for programs that know no Unix sockets; the addresses are secrets"
    offer.add_argument("--tcp", action="store_true", help=words)
    _command(commands, "list", "offers.list_offers", "list what is offered, with addresses")


def _pins(subjects: "Commands") -> None:
    commands = _subject(subjects, "pin", "restore points that are in use for long, here or by other consoles")
    listing = _command(commands, "list", "pins.list_pins", "list what is in use at a standby machine")
    end = _command(commands, "end", "pins.end_pin", "end a pin whose console does not exist any more")
    for parser in (listing, end):
        parser.add_argument("standby")
    end.add_argument("pin", help="its id, or the beginning of it")
    words = "the directory it is in, when several have one of that id; / is the topmost"
    end.add_argument("--target-path", metavar="DIRECTORY", help=words)
    end.add_argument("--yes", action="store_true", help="without it only say what that would do")


def _migrations(subjects: "Commands") -> None:
    commands = _subject(subjects, "migrate", "VMs that go to another platform while they run")
    start = _command(commands, "start", "migrations.start_migration", "begin to migrate VMs")
    add_migration_arguments(start, _pair)
    _command(commands, "list", "migrations.list_migrations", "list migrations, newest first")
    show = _command(commands, "show", "migrations.show_migration", "show all that is known of a migration")
    words = "let the target of one that is ready take the source's place"
    cut_over = _command(commands, "cutover", "migrations.cut_over", words)
    stop = _command(commands, "stop", "migrations.stop_migration", "stop one; what was copied is kept")
    resume = _command(commands, "resume", "migrations.resume_migration", "go on with one that stopped or failed")
    words = "delete the target VM of one that has not ended, and forget it; the source stays as it is"
    discard = _command(commands, "discard", "migrations.discard_migration", words)
    for parser in (show, cut_over, stop, resume, discard):
        parser.add_argument("migration", help="its id, the beginning of it, or the VM's name")
    for parser in (cut_over, resume, discard):
        parser.add_argument("--wait", action="store_true", help="wait for the end; 1 when it failed")
    stop.add_argument("--discard", action="store_true", help="delete the target VM, and forget the migration")
    discard.add_argument("--yes", action="store_true", help="without it only say what that would do")


def _proofs(subjects: "Commands") -> None:
    commands = _subject(subjects, "proof", "proofs that restore points can be used")
    add_proof_commands(partial(_command, commands))


def _platforms(subjects: "Commands") -> None:
    commands = _subject(subjects, "platform", "virtual platforms")
    _command(commands, "list", "registration.list_platforms", "list virtual platforms")
    add = _command(
        commands,
        "add",
        "registration.add_platform",
        "register one; the password is asked for, or read from standard input",
    )
    add.add_argument("name")
    add.add_argument("address")
    add.add_argument("--user", required=True)
    add.add_argument("--port", type=int, default=443)
    add.add_argument("--thumbprint", help="SHA-256 of the certificate that is the right one")
    words = "look for one at another address, where the same one has to answer"
    move = _command(commands, "move", "registration.move_platform", words)
    move.add_argument("name")
    move.add_argument("address")
    move.add_argument("--port", type=int, help="the one that is known when it is left out")
    move.add_argument("--thumbprint", help="SHA-256 of the certificate that is the right one")
    move.add_argument("--same", action="store_true", help="it is the same server, though it does not say so")
    plain = _command(commands, "plain", "registration.set_plain", "let disks travel unencrypted, or not")
    plain.add_argument("name")
    plain.add_argument("choice", choices=("on", "off"), help="on only where the network between is trusted")
    _command(commands, "remove", "registration.remove_platform", "forget one").add_argument("name")
    words = "merge what removed snapshots have left on the disks of a VM"
    consolidate = _command(commands, "consolidate", "registration.consolidate_disks", words)
    consolidate.add_argument("name")
    consolidate.add_argument("vm", help="its name or id")
    consolidate.add_argument("--wait", action="store_true", help="wait for the end; 1 when it failed")
    _command(commands, "test", "registration.test_platform", "log in to one").add_argument("name")
    words = "look for what would hinder backups; 1 when something is wrong"
    _command(commands, "examine", "examination.examine_platform", words).add_argument("name")
    words = "show the order in which the ways to its disks are tried, or choose it"
    order = _command(commands, "transports", "transports.order_transports", words)
    order.add_argument("name")
    order.add_argument("modes", nargs="*", help="san hotadd nfs nfc_ssl nfc https; those left out come last")
    words = "open a disk that nobody writes to in every transport mode, and read its beginning"
    _command(commands, "probe", "transports.probe_transports", words).add_argument("name")
    report = _command(commands, "report", "transports.report_platform", "examine one and write a report")
    report.add_argument("name")
    report.add_argument("file")
    report.add_argument("--names", action="store_true", help="leave the names in it as they are")


def _standbys(subjects: "Commands") -> None:
    commands = _subject(subjects, "standby", "standby machines")
    _command(commands, "list", "registration.list_standbys", "list standby machines")
    add = _command(commands, "add", "registration.add_standby", "register one")
    add.add_argument("name")
    add.add_argument("path")
    add.add_argument("--note", default="")
    add.add_argument(
        "--encrypt",
        action="store_true",
        help="encrypt all that is kept there; the passphrase is asked for, or read from standard input",
    )
    add.add_argument(
        "--group",
        default="",
        help="let this group use what is kept there too; only for a directory without backups, not on Windows",
    )
    add.add_argument("--hide-names", action="store_true", help="with --encrypt: names of rules and VMs too")
    add.add_argument(
        "--new-identity",
        action="store_true",
        help="it is a copy of a registered standby machine, and both stay in use: give it a mark of its own",
    )
    close = _command(
        commands,
        "close",
        "registration.close_standby",
        "take the rights that other users of the machine have there",
    )
    close.add_argument("name")
    close.add_argument("--yes", action="store_true", help="do not ask")
    close.add_argument("--no-wait", dest="wait", action="store_false", help="return at once")
    _command(commands, "remove", "registration.remove_standby", "forget one; its data stays").add_argument("name")
    add_take_over_command(partial(_command, commands))
    _encryption(commands)


def _encryption(commands: "Commands") -> None:
    asked = "asked for, or read from standard input"
    for name, run, words in (
        ("encryption", "keys.show_encryption", "how one is encrypted, and what is locked"),
        ("unlock", "keys.unlock", f"open one; its passphrase or a recovery key is {asked}"),
        ("encrypt", "keys.encrypt", f"encrypt what will be kept on an empty one; the passphrase is {asked}"),
        ("passphrase", "keys.change_passphrase", f"change the passphrase of one; the new one is {asked}"),
        ("recovery-key", "keys.add_recovery_key", "make a recovery key and write it to standard output, once"),
        ("revoke-recovery-keys", "keys.revoke_recovery_keys", "make all recovery keys of one worthless"),
    ):
        parser = _command(commands, name, run, words)
        parser.add_argument("name")
        if name == "encrypt":
            parser.add_argument("--hide-names", action="store_true", help="names of rules and VMs too")


def _hooks(subjects: "Commands") -> None:
    commands = _subject(subjects, "hook", "commands before and after the backup of a VM")
    show = _command(
        commands, "show", "hooks.show_hooks", "show the common ones and those of rules, or of one rule"
    )
    put = _command(
        commands, "set", "hooks.set_hook", "set the command before or after; write -- before the program"
    )
    clear = _command(commands, "clear", "hooks.clear_hooks", "remove them; a rule goes back to the common ones")
    for parser in (show, put, clear):
        parser.add_argument("--rule", help="those of this rule instead of the common ones")
    put.add_argument("phase", choices=PHASES)
    put.add_argument("words", nargs="+", metavar="program", help="and its arguments; no shell sees them")
    put.add_argument("--time-limit", type=float, default=300.0, metavar="SECONDS", help="each time; default: 300")
    put.add_argument("--retries", type=int, default=0, help="how often it is run again when it fails; default: 0")
    put.add_argument(
        "--no-veto", dest="veto", action="store_false", help="before only: make the backup also when it fails"
    )
    put.add_argument("--off", dest="enabled", action="store_false", help="keep it, and do not run it")
    clear.add_argument("phase", choices=PHASES, nargs="?", help="only this one")


def _notifications(subjects: "Commands") -> None:
    commands = _subject(subjects, "notify", "who is notified of failed tasks")
    _command(commands, "show", "notify.show_notifications", "show who is notified of what")
    test = _command(commands, "test", "notify.test_notification", "send a test with the settings that are kept")
    test.add_argument("sink", choices=[sink.value for sink in SinkKind])


def _vddk(subjects: "Commands") -> None:
    commands = _subject(subjects, "vddk", "VMware's own library for disks, which you may supply")
    show = _command(commands, "show", "vddk.show_vddk", "show which one is used, or examine the one in a folder")
    show.add_argument("folder", nargs="?", help="the folder of an unpacked VDDK; nothing is changed")
    put = _command(commands, "set", "vddk.set_vddk", "use the one in a folder, for SAN, HotAdd, NBD and NBD_SSL")
    put.add_argument("folder", help="of the unpacked VDDK: the one that holds lib64, or bin on Windows")
    _command(commands, "clear", "vddk.clear_vddk", "use none any more")


def _program(subjects: "Commands") -> None:
    program = _subject(subjects, "program", "the window and the engine")
    end = _command(program, "end", "program.end_program", "end both in order; refused while tasks run")
    end.add_argument("--stop-tasks", action="store_true", help="stop running tasks and clean up after them")
    end.add_argument("--when-idle", action="store_true", help="wait until no task runs")
    clock = _subject(subjects, "clock", "whether this machine's clock is believed")
    _command(clock, "show", "program.show_clock", "show why it is not; meanwhile nothing is removed for its age")
    _command(clock, "confirm", "program.confirm_clock", "say that it is right")
    stat = _command(subjects, "stat", "program.show_status", "the state of the engine, or a rule's statistics")
    stat.add_argument("--rule")
    periods = [period.value for period in StatisticsPeriod]
    stat.add_argument("--period", choices=periods, default=StatisticsPeriod.MONTH.value)
    log = _command(subjects, "log", "program.show_log", "the newest lines of the log")
    log.add_argument("--rule")
    log.add_argument("--task")
    log.add_argument("--level", choices=["normal", "warning", "error"], default="normal")
    log.add_argument("--text", default="", help="words that must appear")
    log.add_argument("--lines", type=_count, default=50)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("a number from 1 on is needed")
    return number


def _pair(text: str) -> tuple[str, str]:
    before, mark, after = text.partition("=")
    if not (before and mark and after):
        raise argparse.ArgumentTypeError(f"{text!r} is not like OLD=NEW")
    return before, after


def _disk_place(text: str) -> tuple[int, str]:
    key, mark, datastore = text.partition("=")
    if not (key.isdecimal() and mark and datastore):
        raise argparse.ArgumentTypeError(f"{text!r} is not like 2000=DATASTORE")
    return int(key), datastore
