"""What engines on a cluster share: the connection, and how a run there becomes a run in the store."""
