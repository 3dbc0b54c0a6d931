"""`tests/unit/test_throttle.py` on every real server; a module of its own, so that no test or fixture hides another's."""

from unit.test_throttle import *
