"""Disks over native NFC, written from the protocols page *NFC* alone; VMware neither documents nor supports it.

``authd`` presents a ticket, ``session`` speaks classic messages and frames, ``wire`` holds the bytes,
``compression`` and ``fastlz`` unpack fragments, ``dialer`` turns a ticket into an open disk, ``reader`` and
``writer`` keep it busy and dial again when it breaks.

Invariants: one TCP connection per open disk, nothing shared between disks; a ticket is used once; after a
malformed answer the connection is closed and never used again.
"""
