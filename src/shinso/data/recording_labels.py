"""What a recording is a recording of: a label from its folder or from its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from shinso.faults import UsageFault
from shinso.language import _

BEFORE_UNDERSCORE = r"^([^_]+)_"


def rule_of(label: str) -> re.Pattern[str] | None:
    """The expression that finds a label in a name; None where the label is not in the name.

    Raises UsageFault LABEL-RULE for an expression that is none or has no group."""
    if label in ("auto", "none", "folder"):
        return None
    try:
        rule = re.compile(label)
    except re.error as error:
        raise UsageFault(
            "LABEL-RULE", place="--label-from", found=f"{label!r}: {error}",
            next_step=_("give auto, none, folder, or an expression such as {example}").format(
                example=BEFORE_UNDERSCORE
            ),
        ) from error  # fmt: skip
    if rule.groups < 1:
        raise UsageFault(
            "LABEL-RULE", place="--label-from", found=f"{label!r}",
            why=_("the label is what stands in the first pair of brackets"),
            next_step=_("give auto, none, folder, or an expression such as {example}").format(
                example=BEFORE_UNDERSCORE
            ),
        )  # fmt: skip
    return rule


def decided(
    label: str, rule: re.Pattern[str] | None, names: Sequence[str]
) -> tuple[str, re.Pattern[str] | None]:
    """The rule, and its expression if it is one, with "auto" decided by what the files are called."""
    if label != "auto":
        return label, rule
    stems = [PurePosixPath(name).stem for name in names]
    if len({PurePosixPath(name).parent.name for name in names}) > 1:
        return "folder", None
    before = re.compile(BEFORE_UNDERSCORE)
    if all(before.search(stem) for stem in stems) and len(set(stems)) > 1:
        return BEFORE_UNDERSCORE, before
    return "none", None


def labels_of(
    names: Sequence[str], label: str, rule: re.Pattern[str] | None, above: str
) -> tuple[list[str], str]:
    """A label for each name, empty where the rule finds none, and where they come from, in words.

    above: the label by folder of what lies in no folder.
    """
    folders = [PurePosixPath(name).parent.name or above for name in names]
    stems = [PurePosixPath(name).stem for name in names]
    if label == "none":
        return [""] * len(names), ""
    if label == "folder":
        labels = folders
        where = _("the folder of each file")
    else:
        assert rule is not None
        matches = [rule.search(stem) for stem in stems]
        labels = [match.group(1) if match else "" for match in matches]
        where = _("what {rule} finds in each file's name").format(rule=label)
    return labels, where
