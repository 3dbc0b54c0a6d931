"""Makes the platform's Kubernetes Secrets once."""
