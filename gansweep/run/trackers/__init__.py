"""Experiment trackers that are sent what is measured while a study runs."""
