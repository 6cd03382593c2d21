"""Texts of the report: numbers, durations, the verdict, escaping."""
