"""Reading restore points back against their digests."""
