"""The transports against the simulator's NFC server, and against hosts that lie."""
