"""What happened: an outbox in the database, from which webhooks are sent and browsers are told."""
