"""Ways to run the one graph."""
