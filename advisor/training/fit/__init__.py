"""Fits of what the artefact holds, from the tables of the folder of models."""
