"""Functions that AWS Lambda runs: plain Python, packed by `infra/functions/package.py`."""
