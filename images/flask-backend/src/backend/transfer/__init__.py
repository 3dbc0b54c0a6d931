"""Moves all data between engines: `backend export` and `backend import`."""
