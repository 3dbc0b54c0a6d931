"""`tests/unit/test_guard.py` on every real server; a module of its own, so that no test or fixture hides another's."""

from unit.test_guard import *
