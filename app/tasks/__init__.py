"""Tasks: what they are, who may do what, pages and statistics."""
