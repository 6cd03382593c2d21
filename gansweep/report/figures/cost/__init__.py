"""Figures of the group 'cost'."""
