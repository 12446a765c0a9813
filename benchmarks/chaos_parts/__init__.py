"""Parts of `benchmarks/chaos.py`: see each module's first line."""
