"""The edge guard: its rules live here, and a reconciler brings them to every node."""
