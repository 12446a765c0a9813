"""What a completed epoch costs: everything that is billed, line by line."""
