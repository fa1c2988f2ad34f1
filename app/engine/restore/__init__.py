"""Restore of one restore point.

``target`` decides where it goes, ``run`` does it, ``compare`` proves it, ``swap`` puts the new VM into the place
of the original, and ``cleanup`` cleans up behind a restore that did not end.

The new VM is always created next to what there is, filled, and read back. Only then does it take the place of
an original: that one is powered off, renamed aside, and removed last. Every step is written into the restore
journal before it is done, so that a crash leaves nothing nameless on the platform.
"""
