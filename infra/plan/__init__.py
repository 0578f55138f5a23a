"""The offline plan: a program run in this process, and the graph of what it asked for."""
