"""`tests/unit/test_api_keys.py` on every real server; a module of its own, so that no test or fixture hides another's."""

from unit.test_api_keys import *
