"""A run: its rounds, and a module per stage. Knows the run folder and no model library."""
