"""Figures of the group 'hyperparameters'."""
