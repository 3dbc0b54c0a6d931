"""`tests/unit/test_sessions.py` on every real server; a module of its own, so that no test or fixture hides another's."""

from unit.test_sessions import *
