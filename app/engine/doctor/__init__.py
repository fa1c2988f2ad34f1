"""The doctor: looks at a platform, or at everything a rule depends on, and says what is wrong and what to do.

- ``kinds`` and ``disk_kinds`` everything it can find, with its severity, words and remedy.
- ``platform`` the examination of a platform; ``rule`` that of a rule or a draft.

It changes nothing. Each examination opens a session of its own, and ends however much is wrong.
"""
