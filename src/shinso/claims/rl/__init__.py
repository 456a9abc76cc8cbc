"""Claims on reinforcement learning."""

ORDER = ("exploration", "q_learning", "values", "approximation", "policy_gradient")
