"""What an environment may say of itself."""
