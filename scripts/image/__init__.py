"""Container images without a registry: a private Docker daemon, a Debian base, archives that are the same each time."""
