"""How much memory members need, and how many make a pack."""
