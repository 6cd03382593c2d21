"""Training: many members of one structure as one vectorised program."""
