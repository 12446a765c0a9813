"""The machine and the training measured: bench, profile, acceptance."""
