"""Have it: rent an offer, keep account of it, and let it go again."""
