"""Layers that work one member at a time and fast inside a pack."""
