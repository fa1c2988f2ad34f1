"""虚机恢复: restores, group restores, instant recoveries. GUI thread."""
