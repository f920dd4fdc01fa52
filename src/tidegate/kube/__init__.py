"""A small, asynchronous client of the Kubernetes API: what is asked for is said by path and body, both plain data."""
