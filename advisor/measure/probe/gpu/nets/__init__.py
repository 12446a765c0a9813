"""Nets with random weights, as the built-in profiles have them, of PyTorch alone.

These modules import PyTorch; the others of this program do not where it is missing.
"""
