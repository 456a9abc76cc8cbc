"""A binary tree of sums, for draws in proportion to priorities. tree[1] is the total; the leaves are
the second half of the array."""

from shinso.nn.kernels.compile_numba import kernel


@kernel
def set_priority(tree, place, priority):  # pragma: no cover
    """Leaf ``place`` of a sum tree and all sums above it. tree[1] is the total."""
    node = len(tree) // 2 + place
    change = priority - tree[node]
    while node >= 1:
        tree[node] += change
        node //= 2


@kernel
def find(tree, mass):  # pragma: no cover
    """The leaf in which the running sum of priorities passes ``mass``."""
    node, leaves = 1, len(tree) // 2
    while node < leaves:
        node *= 2
        # A right branch without any mass is never entered, whatever rounding says.
        if mass >= tree[node] and tree[node + 1] > 0:
            mass -= tree[node]
            node += 1
    return node - leaves
