"""Backup rules at work.

- ``editing``: creating, changing and deleting rules, with every guard; starting and stopping.
- ``drafts``: what the operator entered, checked and turned into a rule.
- ``runs``: backups of a rule's VMs as tasks, for the scheduler and for run-now.
- ``scheduler``: when they run. The truth is :mod:`app.domain.schedule`; the timer only looks at the clock.
- ``retries``: failed backups that are tried again by themselves.
- ``points``: the restore points of a VM in a rule, under all ids it ever had; deleting them.
- ``retention``: what goes after a successful run, and the preview.
- ``group``: group restore.
- ``view``: rows and states for the rule pages.

A VM that was restored in the place of its original has a new id on the platform. The rule goes on with it
(``app.engine.platforms.succession``): its points form a new chain, because a chain is named by the VM's id and
its first backup reads everything anyway (the disks are others), while retention, counts and deletion see the
points of all ids together. ``docs/decisions`` says why.

Locks: ``editing`` has one lock over changes of rules, so that two rules never get the same VM; the scheduler has
one over its plan. Neither is held while a task is waited for or a repository is opened.
"""
