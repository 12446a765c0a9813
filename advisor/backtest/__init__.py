"""Rent policies played over the prices of a market, recorded or simulated."""
