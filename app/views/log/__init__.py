"""日志: what happened, of everything, of a rule, of a VM, of a task; read page by page. GUI thread."""
