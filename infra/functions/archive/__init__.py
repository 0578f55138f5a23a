"""Moves tasks that were done long ago from PostgreSQL to S3."""
