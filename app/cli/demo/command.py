"""``standfast demo`` as a command: play the story, show the table, and say by the exit status how it ended."""

import shutil
import tempfile
import time
from pathlib import Path

from app.cli.demo.screen import Screen
from app.cli.demo.stage import open_stage
from app.cli.demo.story import DemoFailed, Story
from app.domain.errors import OperationalError
from app.simulator.spec import demo_spec


def run_demo(*, keep: bool) -> int:
    """Play the demo; return 0 only when every comparison held."""
    screen = Screen()
    folder = Path(tempfile.mkdtemp(prefix="standfast-demo-"))
    try:
        return 0 if _play(folder, screen) else 1
    finally:
        if keep:
            screen.kept(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _play(folder: Path, screen: Screen) -> bool:
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
    except DemoFailed:
        return False
    except OperationalError as error:
        screen.note(str(error))
        return False
    return bool(story.verdicts) and all(verdict.is_identical for verdict in story.verdicts)
