"""The backup data at a standby path. Start at :class:`app.repository.facade.Repository`."""
