"""虚机恢复: bring it back: restores, group restores, instant recoveries. GUI thread."""
