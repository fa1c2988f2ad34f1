"""``standfast demo`` as a command: run the steps, show the table, and report by the exit status how it ended."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app.cli.demo.screen import Screen
from app.cli.demo.stage import Stage, open_stage
from app.cli.demo.story import DemoFailed, Story
from app.domain.errors import OperationalError
from app.simulator.spec import demo_spec

ShowConsole = Callable[[Stage], None]


def run_demo(*, keep: bool, show: ShowConsole | None = None) -> int:
    """Run the demo; return 0 only when every comparison succeeded.

    Args:
        keep: leave the data.
        show: opens the console on the demo's engine when the story has ended well; None shows nothing.
    """
    screen = Screen()
    folder = Path(tempfile.mkdtemp(prefix="standfast-demo-"))
    try:
        return 0 if _play(folder, screen, show) else 1
    finally:
        if keep:
            screen.kept(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _play(folder: Path, screen: Screen, show: ShowConsole | None) -> bool:
    started = time.monotonic()
    screen.headline("Standfast demo: a simulated vCenter with three VMs, on real sockets of this machine")
    try:
        with open_stage(folder, demo_spec()) as stage:
            story = Story(stage, screen)
            try:
                story.play()
            finally:
                screen.table([(made.vm_name, made.point.point, made.seconds) for made in story.points])
                screen.conclusion(story.verdicts, seconds=time.monotonic() - started)
            if show is not None and _is_good(story):
                screen.note("The console shows what was done. Quit it to end the demo.")
                show(stage)
    except DemoFailed:
        return False
    except OperationalError as error:
        screen.note(str(error))
        return False
    return _is_good(story)


def _is_good(story: Story) -> bool:
    return bool(story.verdicts) and all(verdict.is_identical for verdict in story.verdicts)
