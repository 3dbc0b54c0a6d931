"""The gauges of what waits are read by SQL: on every server."""

from unit.test_observability import test_gauges_of_what_waits  # noqa: F401
