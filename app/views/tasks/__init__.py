"""任务: what runs, what failed, why, how fast, and where the bottleneck is. GUI thread."""
