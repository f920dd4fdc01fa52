"""Metrics from Prometheus, and from the endpoints that it would scrape.

`samples` reads both formats, `series` says what samples mean for a rollout, `server` asks Prometheus, `scraping` asks
pods. A request is counted once: by Seldon's executor where there is one, else by the model server; what the gateway
answered itself (no pod was there to answer) comes on top, since nobody else saw it.
"""
