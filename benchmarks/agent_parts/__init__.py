"""What `benchmarks/agent.py` plays: a stage, and the sessions on it."""
