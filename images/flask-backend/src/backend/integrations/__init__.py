"""Other systems: webhooks that tell them, and the client that calls them."""
