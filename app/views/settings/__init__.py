"""The settings page: few settings, each with a sentence that says what it does.

``page`` puts the cards together; ``general``, ``limits``, ``notifications`` and ``about`` are one card each.
"""
