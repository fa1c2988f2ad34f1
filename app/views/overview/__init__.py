"""The first page: are we safe? Failures first, then what runs, what comes, and how much room there is.

``page`` asks and shows; ``words`` turns the engine's rows into entries; ``welcome`` stands in while nothing is
registered.
"""
