"""Writes what a new variant begins with, for its author to edit."""
