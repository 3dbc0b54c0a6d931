"""`tests/unit/test_health.py` on every real server; a module of its own, so that no test or fixture hides another's."""

from unit.test_health import *
