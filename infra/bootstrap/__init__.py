"""The first program of an account: where state is kept, and who may deploy."""
