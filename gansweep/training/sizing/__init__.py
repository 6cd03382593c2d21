"""Estimates and measures the memory of members and the best size of a pack."""
