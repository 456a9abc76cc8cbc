"""The type checker that annotations are held to while tests run."""

from beartype import BeartypeConf, beartype

# An int is welcome where a float is asked for, as PEP 484 and pyright have it. Annotated variables
# are pyright's alone. Violations are what Python itself raises for a wrong kind.
CONF = BeartypeConf(is_pep484_tower=True, claw_is_pep526=False, violation_type=TypeError)
checked = beartype(conf=CONF)
