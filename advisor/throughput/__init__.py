"""How fast a workload runs on an offer, with an interval, and what bounds it."""
