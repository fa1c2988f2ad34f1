"""The wire: SOAP over HTTPS as vCenter and ESXi speak it, built on pyVmomi's type descriptions.

``request`` reads a call, ``serializer`` writes values, ``reply`` wraps them into answers and faults,
``dispatcher`` finds the object and the method and checks who may, ``http`` carries it all. A request that
makes no sense gets a SOAP fault; nothing a client sends ends a thread.

Threads: one per connection; values are written to XML under ``world.lock``.
"""
