"""The status of a study: progress, failures, costs and the remaining time."""
