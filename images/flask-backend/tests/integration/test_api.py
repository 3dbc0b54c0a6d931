"""The API suite of `tests/unit`, on every real server (`conftest.py` gives the settings)."""

from unit.test_account import *
from unit.test_api_keys import *
from unit.test_audit import *
from unit.test_bad_input import *
from unit.test_guard import *
from unit.test_idempotency import *
from unit.test_ingest import *
from unit.test_jobs import *
from unit.test_permissions import *
from unit.test_second_factor import *
from unit.test_sessions import *
from unit.test_throttle import *
from unit.test_tokens import *
from unit.test_users import *
from unit.test_webhooks import *
