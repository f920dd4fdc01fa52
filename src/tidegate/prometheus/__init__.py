"""Metrics from Prometheus, and from the endpoints that it would scrape."""
