"""Fits of what the artifact holds, from the tables of the folder of models."""
