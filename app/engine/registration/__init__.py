"""What registering platforms and standby machines has in common."""
