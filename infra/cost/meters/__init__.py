"""What each type of resource costs, as functions over its inputs and the usage."""
