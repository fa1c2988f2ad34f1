"""What the demo shows in a terminal: live progress, results, and the table at the end."""

import time
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TransferSpeedColumn
from rich.table import Table

from app.cli.demo.comparison import Verdict
from app.contract.tasks import ListTasks, TaskReport, TaskRow
from app.core.clock import SystemClock
from app.domain.ids import PointId, TaskId
from app.domain.restore_point import RestorePoint
from app.engine.engine import Engine

_LOOK_EVERY_S = 0.1
_MIB = 1024 * 1024


class Screen:
    """Writes to the terminal; plain lines where there is none. Thread: one."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self.clock = SystemClock()

    def headline(self, text: str) -> None:
        """Announce the next act."""
        self._console.print(f"\n[bold]{text}[/bold]")

    def note(self, text: str) -> None:
        """Say something in passing."""
        self._console.print(f"  [dim]{text}[/dim]")

    def follow(self, engine: Engine, tasks: Sequence[TaskId]) -> list[TaskRow]:
        """Show the progress of tasks until all have ended; return them in the order given."""
        columns = (
            TextColumn("  {task.fields[vm]:<12} {task.fields[state]:<22}"),
            BarColumn(bar_width=28),
            TaskProgressColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
        )
        wanted = set(tasks)
        with Progress(*columns, console=self._console, transient=True) as bars:
            shown = {task: bars.add_task("", total=None, vm="", state="") for task in tasks}
            while True:
                rows = {
                    row.id: row for row in engine.ask(ListTasks(limit=len(tasks) * 4 + 50)) if row.id in wanted
                }
                for task, bar in shown.items():
                    self._update(bars, bar, rows[task])
                if all(row.state.is_final for row in rows.values()):
                    break
                time.sleep(_LOOK_EVERY_S)
        ended = [rows[task] for task in tasks]
        for row in ended:
            self._console.print(f"  {_mark(row)} {row.vm_name:<12} {row.kind.value} {row.state.value}")
        return ended

    def _update(self, bars: Progress, bar: object, row: TaskRow) -> None:
        sample = row.progress
        bars.update(
            bar,  # type: ignore[arg-type]
            total=sample.total_bytes or None,
            completed=sample.done_bytes,
            vm=row.vm_name,
            state=row.state.value.replace("_", " "),
        )

    def failure(self, report: TaskReport) -> None:
        """Show why a task did not complete: its error and its log."""
        if report.task.error is None:
            return
        self._console.print(f"[red]{report.task.vm_name}: {report.task.error.message}[/red]")
        self._console.print(f"  {report.task.error.hint}")
        for line in report.log:
            self._console.print(f"  {line.at:%H:%M:%S} {line.level.name:<8} {line.text}", markup=False)

    def verdict(self, verdict: Verdict) -> None:
        """Pronounce on one disk."""
        size = f"{verdict.capacity_bytes // _MIB} MiB"
        where = f"  {verdict.vm_name:<10} {verdict.what:<31} {verdict.disk:<11} {size:>8}"
        if verdict.is_identical:
            self._console.print(f"{where}  [green]identical[/green]")
        else:
            self._console.print(f"{where}  [bold red]DIFFERS at byte {verdict.first_difference}[/bold red]")

    def table(self, rows: Sequence[tuple[str, RestorePoint, float]]) -> None:
        """Show all restore points: VM, point, kind, parent, disk size, read, stored new, seconds."""
        table = Table(title="Restore points", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for title in ("VM", "Point", "Kind", "Parent"):
            table.add_column(title, no_wrap=True)
        for title in ("Disk\nMiB", "Read\nMiB", "Stored\nMiB", "Time\ns"):
            table.add_column(title, justify="right", no_wrap=True)
        for vm_name, point, seconds in rows:
            table.add_row(
                vm_name,
                clock_time(point.id),
                point.kind.value,
                clock_time(point.parent) if point.parent else "—",
                f"{point.capacity_bytes // _MIB}",
                _mib(point.read_bytes),
                _mib(point.stored_bytes),
                f"{seconds:.2f}",
            )
        self._console.print()
        self._console.print(table)

    def conclusion(self, verdicts: Sequence[Verdict], *, seconds: float) -> None:
        """Say how it ended, and what compared the disks."""
        wrong = sum(not verdict.is_identical for verdict in verdicts)
        if not verdicts:
            self._console.print("[bold red]Nothing was compared.[/bold red]")
        elif wrong:
            self._console.print(f"[bold red]{wrong} of {len(verdicts)} disks differ.[/bold red]")
        else:
            compared_by = " and ".join(sorted({way for verdict in verdicts for way in verdict.compared_by}))
            text = f"All {len(verdicts)} disks are identical ({compared_by}), after {seconds:.0f} seconds."
            self._console.print(f"[bold green]{text}[/bold green]")

    def kept(self, folder: object) -> None:
        """Show where the data is stored."""
        self._console.print(f"The data was kept in {folder}", soft_wrap=True, highlight=False)


def _mark(row: TaskRow) -> str:
    return "[green]✓[/green]" if row.error is None and row.state.value == "completed" else "[red]✗[/red]"


def clock_time(point: PointId) -> str:
    """Return the time of day in a point's key, which is enough within a demo: ``11:02:05``."""
    return point.rpartition("_")[2].replace("-", ":")


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / _MIB:.1f}"
