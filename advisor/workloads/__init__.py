"""What a user wants to run: workload profiles, how to load them, what they need."""
