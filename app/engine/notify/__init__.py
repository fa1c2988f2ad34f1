"""Tells people what failed: on the desktop, by e-mail, by webhook.

- ``notice`` what a notification says; ``sinks`` the protocol of its channels, with
  ``desktop``, ``email`` and ``webhook``.
- ``settings`` keeps the settings in the catalog and the secrets in the secret store.
- ``digest`` reads a day's results; when one is due is decided in ``app.domain.notifications``.
- ``service`` listens to the engine and delivers, with retries, on a thread of its own.

Invariants: a sink never delays or fails a task: events go into a bounded queue and are delivered elsewhere; what a
sink cannot deliver after its last try is logged and given up. Passwords go to servers whose certificate was
verified only. Settings in the catalog hold no secret.

Threads: :class:`service.Notifier` has one; handlers call ``settings`` and the sinks from theirs.
"""
