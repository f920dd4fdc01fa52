"""Promotions and rollbacks as commits in the repository that Argo CD syncs."""
