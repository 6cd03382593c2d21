"""Figures of the group 'fresh_seeds'."""
