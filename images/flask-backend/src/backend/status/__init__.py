"""State of the whole platform, for the dashboard."""
