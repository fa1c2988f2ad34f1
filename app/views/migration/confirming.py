"""切换, 继续 and 删除 of a migration: the questions, each with what happens to source and target."""

from datetime import timedelta

from PySide6.QtWidgets import QWidget

from app.contract.migration import CutOver, DiscardMigration, MigrationRow, ResumeMigration
from app.domain.migration import MigrationState
from app.views import formatting
from app.views.console import Console
from app.views.migration.words import tr
from app.views.widgets.confirm import ConfirmDialog, sends


def cut_over_of(console: Console, row: MigrationRow, owner: QWidget) -> ConfirmDialog:
    """Return the question whether the target takes the place of the source."""
    return ConfirmDialog(
        console,
        tr("Cut over to {name}").format(name=row.name),
        tr("Cut over"),
        sends(console, CutOver(migration=row.id), owner),
        consequences=(_source_words(row), _length_words(row), _target_words(row), *_undoing_words(row)),
        parent=owner,
    )


def _source_words(row: MigrationRow) -> str:
    if row.options.shut_down_source:
        words = tr(
            "{vm} is shut down on {platform}: its system is asked first, and powered off where it does not "
            "answer. It stays there, powered off and under another name, until you delete it."
        )
    else:
        words = tr(
            "{vm} is not shut down: shut it down yourself before. While it runs, the target gets what it holds "
            "now, stays off, and does not take its place."
        )
    return words.format(vm=row.vm_name, platform=row.platform_name or formatting.NOTHING)


def _length_words(row: MigrationRow) -> str:
    if row.cut_over_s is None:
        return tr("The rest is copied and compared. How long that takes cannot be told yet.")
    words = tr("The rest ({size}) is copied and compared, which takes about {duration}.")
    duration = formatting.rough_duration(timedelta(seconds=row.cut_over_s))
    return words.format(size=formatting.size(row.rest_bytes), duration=duration)


def _target_words(row: MigrationRow) -> str:
    if row.options.power_on:
        words = tr("Then {name} is started on {platform}, with the UUIDs and network addresses of the source.")
    else:
        words = tr(
            "Then {name} is there on {platform}, with the UUIDs and network addresses of the source; start it "
            "yourself."
        )
    return words.format(name=row.name, platform=row.target_name or formatting.NOTHING)


def _undoing_words(row: MigrationRow) -> tuple[str, ...]:
    if not row.options.shut_down_source:
        return ()
    return (
        tr(
            "When something fails before the target is started, all of it is undone and the source is started "
            "again."
        ),
    )


def resuming_of(console: Console, row: MigrationRow, owner: QWidget) -> ConfirmDialog:
    """Return the question whether a migration that stopped or failed goes on."""
    automatic = tr("The cut-over follows by itself once the rest is small.")
    asked = tr("It stops once the rest is small, and waits for the cut-over.")
    return ConfirmDialog(
        console,
        tr("Resume the migration of {name}").format(name=row.vm_name),
        tr("Resume"),
        sends(console, ResumeMigration(migration=row.id), owner),
        consequences=(
            tr("Only what the target is missing is copied; the source runs on."),
            automatic if row.options.automatic else asked,
        ),
        parent=owner,
    )


def deletion_of(console: Console, row: MigrationRow, owner: QWidget) -> ConfirmDialog:
    """Return the question whether to delete a migration: with its target VM, or of a completed one its row."""
    send = sends(console, DiscardMigration(migration=row.id), owner)
    if row.state is MigrationState.COMPLETED:
        return ConfirmDialog(
            console,
            tr("Remove {name} from the list").format(name=row.name),
            tr("Remove"),
            send,
            consequences=(tr("Only the row goes. Neither the source nor the target is touched."),),
            parent=owner,
        )
    gone = tr("The target VM is deleted from {platform} with all that was copied.")
    return ConfirmDialog(
        console,
        tr("Delete the migration of {name}").format(name=row.vm_name),
        tr("Delete migration"),
        send,
        consequences=(
            gone.format(platform=row.target_name or formatting.NOTHING),
            tr("The source {name} stays as it is.").format(name=row.vm_name),
            tr("To go on with it later, close this and leave it stopped: what was copied is kept."),
        ),
        type_name=row.name,
        parent=owner,
    )
