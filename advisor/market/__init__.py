"""What is for rent: offers, filters with reasons, markets, snapshots."""
