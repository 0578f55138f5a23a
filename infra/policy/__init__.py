"""What is wrong with a plan: rules as plain functions over its graph."""
