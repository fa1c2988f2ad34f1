"""The operator's own commands before and after backups. See ``docs/hooks.md``."""
