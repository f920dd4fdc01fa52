"""The Kubeflow engine: uploads the IR, starts a run and follows it."""
