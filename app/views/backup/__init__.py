"""虚机备份: the rules, their VMs with traffic, their statistics, and the editor of a rule. GUI thread.

``page`` holds the parts by address: ``list_rules`` (all rules), ``list_vms`` (one rule's VMs, with ``traffic``
below), ``statistics`` and ``list_runs`` (what was done). ``editor`` is the dialog with its three tabs
(``tab_basic``, ``tab_advanced``, ``tab_policy``), ``plan_dialog``, ``vm_picker`` and ``retention_calendar``;
``deletion`` asks before anything goes; ``policy_words`` has the sentences for plans and for what is wrong with a
field.
"""
