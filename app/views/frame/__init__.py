"""The window around the pages: navigation, search, help, status bar and tray. Thread: GUI."""
