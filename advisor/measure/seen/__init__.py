"""Figures of a profile from what was seen of a training, each with how it is known."""
