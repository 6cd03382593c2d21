"""Checks whether a study's files agree with one another."""
