"""Which offer: in what order, which are left out and why, which cannot be told apart."""
