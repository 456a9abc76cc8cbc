"""What the course says, measured: one short file each, in a folder for each chapter.

``claims/rnn/conv_size.py`` is the claim ``rnn.conv-size``; its presence is its registration.
The top of such a module imports nothing heavy, so that ``shinso claims list`` answers at once;
``measure`` and ``draw`` import what they need.

A claim module has
    PLACE    Text: where in the course it is said
    SAYS     Text: what is said, in our words
    TRUTH    Text or None: what is true instead, where the course is imprecise
    METHOD   Text: what is measured, on what
    CONTROL  Text: which cause the control removes
    RULE     Text: the verdict rule, written before the first run
    RULE_CHANGED  Text, only where the rule was changed later: when, from what, and why
    SEEDS    {"quick": 3, "full": 10}: number of seeds for each profile
    BUDGET_S {"quick": 10.0, "full": 120.0}: seconds for all seeds together, control included
    measure(seed, control, profile) -> Measurement
    holds(measurements) -> Finding
    draw(figure, measurements, controls) -> None

A chapter's ``__init__.py`` may set ORDER, the course's order of its files.
"""
