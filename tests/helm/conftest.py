"""Helm's memory of clusters goes into a folder of this run, not into the user's home.

Go reads the environment once, as its library is loaded: here, before any test, with a home of its own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from unittest.mock import patch

import helm_python

_home = tempfile.mkdtemp(prefix="helm-tests-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
with patch.dict(os.environ, HOME=_home):
    helm_python.helm_sdk_version()
