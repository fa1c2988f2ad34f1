"""What the window asks of the program around it."""

import dataclasses
import threading
from collections.abc import Callable

from app import __version__
from app.bootstrap.installation import Installation
from app.config import SecretStoreKind, Settings, load_settings, save_settings
from app.console import autostart
from app.console.demoplatform import DemoPlatform
from app.console.errors import SettingsNotSaved
from app.domain.limits import TaskLimits
from app.domain.reasons import reason_of
from app.views.program import DemoAccess, ProgramFacts, ProgramSettings

PutLimitsInForce = Callable[[TaskLimits], bool]
"""Gives the running engine other limits; returns False where it takes them at its next start only."""


class ProgramService:
    """Fulfils :class:`app.views.program.Program`. Thread: any."""

    def __init__(
        self,
        installation: Installation,
        demo: DemoPlatform,
        *,
        engine_is_elsewhere: bool,
        put_in_force: PutLimitsInForce,
    ) -> None:
        self._installation = installation
        self._demo = demo
        self._engine_is_elsewhere = engine_is_elsewhere
        self._put_in_force = put_in_force
        self._lock = threading.Lock()

    def facts(self) -> ProgramFacts:
        """Return what does not change; at once."""
        folders = self._installation.folders
        return ProgramFacts(
            version=__version__,
            data_folder=str(folders.data),
            log_folder=str(folders.logs),
            config_file=str(folders.user_config_file),
            uses_keyring=self._installation.settings.secret_store is SecretStoreKind.KEYRING,
            engine_is_elsewhere=self._engine_is_elsewhere,
        )

    def settings(self) -> ProgramSettings:
        """Read the settings.

        Raises:
            ConfigError: a file cannot be used.
            AutostartRefused: the system does not answer.
        """
        return ProgramSettings(limits=self._read().limits, starts_with_system=autostart.starts_with_system())

    def save_limits(self, limits: TaskLimits) -> bool:
        """Write the limits into the operator's file and give them to the engine.

        Raises:
            ConfigError: the file cannot be used.
            BufferBudgetExceeded: they do not fit.
            SettingsNotSaved: the file cannot be written.
        """
        file = self._installation.folders.user_config_file
        with self._lock:
            old = self._read()
            new = dataclasses.replace(old, bk_tsk_thd=limits.tasks, i2vp_transbuffer=limits.buffer_mb)
            try:
                save_settings(file, old, new)
            except OSError as error:
                raise SettingsNotSaved(path=file, detail=reason_of(error)) from error
        return self._put_in_force(limits)

    def start_with_system(self, *, wanted: bool) -> None:
        """Begin or end to start with the operator's session.

        Raises:
            AutostartRefused: the system does not let it.
        """
        autostart.start_with_system(wanted=wanted)

    def start_demo(self) -> DemoAccess:
        """Start the demo platform, unless it runs already.

        Raises:
            DemoDidNotStart: it does not.
        """
        return self._demo.start()

    def _read(self) -> Settings:
        folders = self._installation.folders
        return load_settings(folders.shipped_config_file, folders.user_config_file)
