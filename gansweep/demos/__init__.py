"""Demonstrations: what a discriminator learns, and how far the FID can be trusted."""
