"""Charts: traffic over time, bars per day, the ring. No frame, a light grid, gaps shown as gaps. GUI thread."""
