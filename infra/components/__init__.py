"""Parts of the platform: one component a file, its arithmetic in a pure module beside it."""
