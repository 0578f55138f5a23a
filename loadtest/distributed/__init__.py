"""One run by several processes: a master that says when, and workers that send."""
