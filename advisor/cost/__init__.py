"""What a completed epoch costs: everything that is billed, item by item."""
