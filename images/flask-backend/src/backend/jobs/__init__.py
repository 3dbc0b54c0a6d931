"""Background jobs: their state is in the database, a queue in Redis only tells the workers of them."""
