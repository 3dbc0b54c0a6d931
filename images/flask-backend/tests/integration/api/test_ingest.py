"""`tests/unit/test_ingest.py` on every real server; a module of its own, so that no test or fixture hides another's."""

from unit.test_ingest import *
