"""Rank rented GPUs by what a completed epoch of a training costs on them."""

__version__ = "0.1.0"
