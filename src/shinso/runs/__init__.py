"""A run's folder on disk: config, metrics, weights, assets, resume state, evidence of claims."""
