"""`tests/unit/test_event_stream.py` on every real server; a module of its own, so that no test or fixture hides another's."""

from unit.test_event_stream import *
