"""Passwords in the operating system's keyring."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import keyring
import platformdirs
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, PasswordDeleteError

from app.core.boundedcalls import BoundedCalls, Call, CallTimedOut
from app.core.privatefiles import make_private_folders, touch_private
from app.core.secrets import SecretStoreLocked, SecretStoreUnavailable
from app.secretstore.file_lock import locked
from app.secretstore.reasons import KEYRING_HELD, NO_KEYRING, NOT_KEPT, PLAIN_TEXT, keyring_reason

SERVICE = "Standfast"
"""Every secret has a service name of its own, which begins with this."""
ANSWER_S = 20.0
"""How long the keyring may take to answer. It may ask the operator for its passphrase first."""
CHECK_S = 30.0
"""How long it may take at the start of the program, when the operator is asked most often."""
PROBE = "check"
"""Name of the secret that :meth:`KeyringSecretStore.check` writes, reads and deletes."""
_LOCK_NAME = "keyring"

T = TypeVar("T")

_NO_PRIORITY = 0
"""Backends at or below it keep nothing: the library's ``fail`` and ``null``."""
_PLAIN_TEXT_MODULES = (
    "keyrings.alt.file",
    "keyrings.alt.Windows",
    "keyrings.alt.Google",
    "keyrings.cryptfile.null",
)


class KeyringSecretStore:
    """Keeps each secret under a service name of its own, ``Standfast/<name>``.

    Windows keeps one entry per service name: with a second one, the library moves the first to another place in
    two steps, and entries are lost when two threads or processes do so at once. Earlier versions kept all secrets
    under the one service name ``Standfast``. Such an entry is moved when it is first used: read, written to its
    new place, read back, and only then removed, so that a kill between any two steps loses nothing.

    Changes exclude each other over all processes of this user. Each call has a deadline; one thread at most is
    stuck in a keyring that never answers.

    Thread: any.
    """

    def __init__(
        self,
        service: str = SERVICE,
        backend: KeyringBackend | None = None,
        *,
        limit_s: float = ANSWER_S,
        check_limit_s: float = CHECK_S,
        lock_file: Path | None = None,
    ) -> None:
        """Know the keyring; nothing is asked of it yet.

        Args:
            service: the beginning of the service names.
            backend: the keyring; None takes the one of this session.
            limit_s: how long it may take to answer.
            check_limit_s: how long it may take to answer :meth:`check`.
            lock_file: what excludes other processes; None takes a file in the user's cache folder.
        """
        self._service = service
        self._given = backend
        self._limit_s = limit_s
        self._check_limit_s = check_limit_s
        self._lock_file = lock_file
        self._calls = BoundedCalls("keyring")
        self._moved: set[str] = set()
        """Names that were looked for under the service name of earlier versions."""

    def check(self) -> None:
        """Make sure that the keyring keeps secrets: write one, read it and delete it.

        Raises:
            SecretStoreLocked: it did not answer in time.
            SecretStoreUnavailable: there is none, or it does not keep secrets; the system's own words say why.
        """
        self._call(self._probe, self._check_limit_s, may_quote=True)

    def get(self, name: str) -> str | None:
        """Return a secret, or None when there is none.

        Raises:
            SecretStoreLocked: the keyring did not answer in time.
            SecretStoreUnavailable: the keyring cannot be used.
        """
        return self._call(lambda backend, call: self._get(backend, call, name), self._limit_s)

    def set(self, name: str, value: str) -> None:
        """Keep a secret, and read it back.

        Raises:
            SecretStoreLocked: the keyring did not answer in time.
            SecretStoreUnavailable: the keyring cannot be used, or did not keep it.
        """
        self._call(lambda backend, call: self._set(backend, call, name, value), self._limit_s)

    def delete(self, name: str) -> None:
        """Forget a secret; nothing happens when there is none.

        Raises:
            SecretStoreLocked: the keyring did not answer in time.
            SecretStoreUnavailable: the keyring cannot be used.
        """
        self._call(lambda backend, call: self._delete(backend, call, name), self._limit_s)

    # --- on the keyring's thread -------------------------------------------------------------------------------

    def _probe(self, backend: KeyringBackend, call: Call[None]) -> None:
        value = secrets.token_hex(8)
        with self._excluding_others():
            call.check()
            self._write(backend, PROBE, value)
            _drop(backend, self._service_of(PROBE), PROBE)

    def _get(self, backend: KeyringBackend, call: Call[str | None], name: str) -> str | None:
        found = backend.get_password(self._service_of(name), name)
        if name in self._moved:
            return found
        if backend.get_password(self._service, name) is not None:
            with self._excluding_others():
                self._move(backend, call, name)
        self._moved.add(name)
        # Again: another process may have moved it between the two looks.
        return found if found is not None else backend.get_password(self._service_of(name), name)

    def _set(self, backend: KeyringBackend, call: Call[None], name: str, value: str) -> None:
        with self._excluding_others():
            self._move(backend, call, name)
            call.check()
            self._write(backend, name, value)
            _drop(
                backend, self._service, name
            )  # an earlier version of the program wrote another value there since

    def _delete(self, backend: KeyringBackend, call: Call[None], name: str) -> None:
        with self._excluding_others():
            call.check()
            _drop(backend, self._service, name)  # first: what is left of it alone would be moved, and so come back
            _drop(backend, self._service_of(name), name)

    def _move(self, backend: KeyringBackend, call: Call[T], name: str) -> None:
        """Move what an earlier version kept; what this version kept goes first."""
        old = backend.get_password(self._service, name)
        if old is None:
            return
        new = backend.get_password(self._service_of(name), name)
        call.check()
        if new is None:
            self._write(backend, name, old)
        elif new != old:
            return
        _drop(backend, self._service, name)

    def _write(self, backend: KeyringBackend, name: str, value: str) -> None:
        backend.set_password(self._service_of(name), name, value)
        if backend.get_password(self._service_of(name), name) != value:
            raise SecretStoreUnavailable(detail=NOT_KEPT)

    # --- around a call -----------------------------------------------------------------------------------------

    def _service_of(self, name: str) -> str:
        return f"{self._service}/{name}"

    @contextmanager
    def _excluding_others(self) -> Iterator[None]:
        file = self._lock_file or _user_lock_file()
        if file is None:
            yield
            return
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(file, patience_s=self._limit_s))
            except TimeoutError as error:
                raise SecretStoreUnavailable(detail=KEYRING_HELD) from error
            yield

    def _call(
        self, action: Callable[[KeyringBackend, Call[T]], T], limit_s: float, *, may_quote: bool = False
    ) -> T:
        """Carry an action out within a deadline; ``may_quote`` says that no secret can be in an error's text."""

        def act(call: Call[T]) -> T:
            backend = self._given if self._given is not None else keyring.get_keyring()
            _refuse_unsafe(backend)
            return action(backend, call)

        try:
            return self._calls.run(act, limit_s)
        except SecretStoreUnavailable:
            raise
        except CallTimedOut:
            raise SecretStoreLocked(seconds=f"{limit_s:g}") from None
        except KeyringError as error:
            raise SecretStoreUnavailable(detail=keyring_reason(error, may_quote=True)) from error
        except Exception as error:  # backends raise whatever their platform does: D-Bus, COM, KWallet
            raise SecretStoreUnavailable(detail=keyring_reason(error, may_quote=may_quote)) from error


def _user_lock_file() -> Path | None:
    """Return the lock of this user, over all data folders; None where no folder of the user can be written."""
    try:
        folder = platformdirs.user_cache_path("standfast", appauthor=False)
        make_private_folders(folder)
        touch_private(folder / f"{_LOCK_NAME}.lock")
    except (OSError, RuntimeError):
        return None
    return folder / _LOCK_NAME


def _drop(backend: KeyringBackend, service: str, name: str) -> None:
    if backend.get_password(service, name) is None:
        return
    try:
        backend.delete_password(service, name)
    except PasswordDeleteError:  # someone else was quicker, or the keyring refused
        if backend.get_password(service, name) is not None:
            raise


def _refuse_unsafe(backend: KeyringBackend) -> None:
    members = getattr(backend, "backends", None) or [backend]
    for member in members:
        if type(member).__module__ in _PLAIN_TEXT_MODULES:
            raise SecretStoreUnavailable(detail=PLAIN_TEXT.fill(keyring=member.name))
    if all(float(member.priority) <= _NO_PRIORITY for member in members):
        raise SecretStoreUnavailable(detail=NO_KEYRING)
