"""The ModelRollout controller: each custom resource is a rollout's plan, its status is where the rollout stands.

`schema`, `crd`, `status`, `reading`, `events` are pure; `reconcile` drives one rollout a turn, `queue` says which is
due, `lease` who may, `run` wires them to kopf's watch. Nothing is kept in memory of a rollout that is at rest.
"""
