"""Layers that are written for one member and fast inside a pack."""
