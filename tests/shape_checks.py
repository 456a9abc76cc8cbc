"""The type checker that annotations are held to while tests run."""

from beartype import BeartypeConf, beartype

# An int is welcome where a float is asked for, as PEP 484 and pyright have it.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
