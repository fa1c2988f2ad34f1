"""The secret store as the engine uses it: with a limit on each answer, and none awaited by a stopped task."""

from collections.abc import Callable
from typing import Final, Self, TypeVar

from app.core.boundedcalls import BoundedCalls, CallTimedOut
from app.core.cancel import CancelToken
from app.core.secrets import SecretStore, SecretStoreLocked

T = TypeVar("T")

LIMIT_S: Final = 25.0
"""How long the store may take to answer; a keyring has given up by then by itself."""
_AT_ONCE: Final = 4


class BoundedSecrets:
    """A secret store whose every answer is waited for within a limit, and no longer than a task wants to.

    Thread: any.
    """

    def __init__(
        self,
        store: SecretStore,
        *,
        limit_s: float = LIMIT_S,
        calls: BoundedCalls | None = None,
        cancel: CancelToken | None = None,
    ) -> None:
        """Know the store.

        Args:
            store: keeps the secrets.
            limit_s: how long it may take to answer.
            calls: carries the calls out; None makes new ones.
            cancel: ends the waiting as well.
        """
        self._store = store
        self._limit_s = limit_s
        self._calls = calls or BoundedCalls("secrets", at_once=_AT_ONCE)
        self._cancel = cancel

    def until(self, cancel: CancelToken) -> Self:
        """Return the same store for a task, which waits for no answer any more once it is stopped."""
        return type(self)(self._store, limit_s=self._limit_s, calls=self._calls, cancel=cancel)

    def get(self, name: str) -> str | None:
        """Return a secret, or None when there is none.

        Raises:
            SecretStoreUnavailable: the store cannot be used, or did not answer in time.
            TaskCancelled: the task was stopped.
        """
        return self._run(lambda: self._store.get(name))

    def set(self, name: str, value: str) -> None:
        """Keep a secret.

        Raises:
            SecretStoreUnavailable: the store cannot be used, or did not answer in time.
            TaskCancelled: the task was stopped.
        """
        self._run(lambda: self._store.set(name, value))

    def delete(self, name: str) -> None:
        """Forget a secret; nothing happens when there is none.

        Raises:
            SecretStoreUnavailable: the store cannot be used, or did not answer in time.
            TaskCancelled: the task was stopped.
        """
        self._run(lambda: self._store.delete(name))

    def close(self, within_s: float) -> None:
        """Let no caller wait any longer than this from now on: the engine ends."""
        self._calls.close(within_s)

    def _run(self, action: Callable[[], T]) -> T:
        try:
            return self._calls.run(lambda _call: action(), self._limit_s, self._cancel)
        except CallTimedOut:
            raise SecretStoreLocked(seconds=f"{self._limit_s:g}") from None


def until(secrets: SecretStore, cancel: CancelToken | None) -> SecretStore:
    """Return a secret store for a task; a store without limits is left as it is."""
    return secrets.until(cancel) if cancel is not None and isinstance(secrets, BoundedSecrets) else secrets
