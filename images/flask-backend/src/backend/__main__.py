"""`python -m backend` is the command `backend`."""

from backend.cli import main

main()
