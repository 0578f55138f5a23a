"""A picture of what a plan makes, drawn from its graph."""
