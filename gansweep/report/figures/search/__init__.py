"""Figures of the group 'search'."""
