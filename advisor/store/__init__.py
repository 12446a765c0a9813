"""What the user keeps: history, hosts; one SQLite file in the user's data folder."""
