"""Seldon Core v1 as a Router: the traffic of a SeldonDeployment's predictors."""
