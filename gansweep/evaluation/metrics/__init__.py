"""Metrics: each a function of what was measured of a pack of generators."""
