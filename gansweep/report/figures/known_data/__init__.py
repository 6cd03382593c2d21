"""Figures of the group 'known_data'."""
