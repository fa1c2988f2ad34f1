"""虚机迁移: says what it will do. GUI thread."""
