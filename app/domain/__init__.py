"""Values and decisions of the product: standard library only, immutable, no I/O.

Everything here can be created, compared, hashed and serialized from any thread. Decisions (extent algebra,
what may run, what to keep) are pure functions of these values.
"""
