"""灾备机: where backup data is kept, how full it is, and how one is registered. GUI thread."""
