"""What a user can train: one short file each; its presence is its registration.

The file ``classify_series.py`` is the task ``classify-series``. The top of a recipe imports
nothing heavy, so that ``shinso list`` and ``--help`` answer at once; its functions import what
they need. A recipe has

    TITLE    Text: what it is, in a line
    PLACE    Text: its place in the course
    READS    Text: which data it reads
    ABOUT    Text: how it works and what to mind, for its page
    BRIEF    Brief: how a report trains it in seconds
    MODELS   {name: ModelChoice}: the networks it can train; the first is the default
    Config   a frozen keyword-only dataclass of settings; ``training: Training`` is one of them
    read(config, paths) -> Data            files become data; every fault in them is raised here
    make_model(config, network, network_config, facts) -> model
                                           sizes that follow from the data come from ``facts``
    build(config, data, model, seed) -> Built   what the loop needs
    use(config, facts, model) -> Use       what a user gets from a trained run

and, where they apply, ``PRESETS`` {name: settings}, ``NEEDS_DATA = False`` (it reads no file),
``Generation``, a dataclass of the settings of ``shinso generate``, ``SETTINGS_OF_USE``, names of
settings in ``Config`` that training never looks at, so that ``predict`` and ``evaluate`` take others,
and ``UNSHOWN_FACTS``, names of facts that are no text for people, which ``check`` leaves out.

``shinso.recipes.recipe`` defines these parts.
"""
