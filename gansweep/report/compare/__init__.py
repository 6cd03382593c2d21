"""Compares the results of studies."""
