"""The property collector: how clients read and watch everything.

``selection`` decides which objects a filter speaks of and which of their properties; ``pieces`` writes
properties as XML and remembers what it wrote until the object is touched; ``state`` is what one collector
holds for one session (filters, versions, unread pages); ``collector`` has the methods of the wire.

Answers are put together as text, because a query over ten thousand VMs has to be answered in seconds.

Invariants: pieces are made and kept under ``world.lock``; a version of ``WaitForUpdatesEx`` can be asked for
twice (an answer may get lost on the way), an older one is refused.
"""
