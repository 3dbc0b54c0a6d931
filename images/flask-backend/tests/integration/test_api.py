"""The API suite of `tests/unit`, on every real server (`conftest.py` gives the settings)."""

from unit.test_bad_input import *  # noqa: F403
from unit.test_permissions import *  # noqa: F403
from unit.test_sessions import *  # noqa: F403
from unit.test_tokens import *  # noqa: F403
from unit.test_users import *  # noqa: F403
