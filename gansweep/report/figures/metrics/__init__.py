"""Figures of the group 'metrics'."""
