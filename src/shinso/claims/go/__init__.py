"""Claims of the chapter on AlphaGo and AlphaGo Zero."""

ORDER = (
    "sl_vs_rollout",
    "rl_policy",
    "policy_pool",
    "value",
    "ucb1",
    "residual",
    "no_rollout",
    "self_play",
)
