"""`backend doctor`: looks at everything that the backend depends on, and names the fix."""

from backend.doctor.report import OK, WARNING, WRONG, Finding, examine

__all__ = ["OK", "WARNING", "WRONG", "Finding", "examine"]
