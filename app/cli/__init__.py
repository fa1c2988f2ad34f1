"""The command line: the demo, and later the control of a running program. Standard output is for the operator."""
