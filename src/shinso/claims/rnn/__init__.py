"""Claims of the chapter on recurrent networks."""

ORDER = (
    "dependence",
    "recurrence",
    "bptt",
    "three_weights",
    "unrolled",
    "chain_rule",
    "conv_size",
    "sine",
)
