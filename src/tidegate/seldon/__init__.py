"""Seldon Core v1 as a Router: the traffic of a SeldonDeployment's predictors.

`predictors` reads and rewrites predictors, `seen` tells what is in force, `steps` turns an action into the next patch,
`router` asks the cluster. All but `router` are pure. How Seldon Core 1.17.1 behaves is what the code goes by:

- A change of `traffic` is in force within a second, unless a replica of any of the SeldonDeployment's Deployments is
  unavailable (or a predictor has `replicas: 0`): then it is accepted and does nothing. Removing one always works.
- `status.state` can be stale; the VirtualService says what is in force, a weight that is absent is 0.
- A model and a weight that change together send the new weight to the old model, until the new one is ready.
"""
