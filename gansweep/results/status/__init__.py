"""What a running study has done and how long the rest will take."""
