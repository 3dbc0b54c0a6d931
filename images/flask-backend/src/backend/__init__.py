"""The REST API of the Triptych platform."""
