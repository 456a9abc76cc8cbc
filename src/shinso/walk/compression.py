"""Settings of ``shinso compress``. Imports nothing heavy: flags are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shinso.settings import setting


@dataclass(frozen=True, kw_only=True)
class Compression:
    """Settings of ``shinso compress``."""

    do: str = setting("int8", "steps, such as int8 or prune=0.5,int8 or distill=gru:16")
    tune_steps: int = setting(-1, "steps of training on after pruning; -1: a quarter of the run's")
    tune_lr: float = setting(0.0, "learning rate of training on; 0: a third of the run's")
    taught: bool = setting(False, "the run's own network teaches while training on, as in distill")
    calibration: Literal["minmax", "percentile", "mse", "entropy"] = setting(
        "mse", "how ranges are found that 8 or 4 bits cover"
    )
    per_channel: bool = setting(True, "a scale for each row of a weight")
    symmetric: bool = setting(True, "as many numbers below 0 as above")
    multiple: int = setting(
        16, "channels are left in multiples of this, which kernels compute at once; 1: any number"
    )
    temperature: float = setting(4.0, "softness of the teacher's answers")
    share: float = setting(0.7, "weight of the teacher's answers beside the labels")
    sequence_level: bool = setting(
        False, "a student learns whole translations of its teacher, and no scores"
    )
    hint: float = setting(0.0, "weight of what goes into the teacher's last layer; 0: none")

    def __post_init__(self) -> None:
        if self.tune_steps < -1:
            raise ValueError(f"tune_steps is {self.tune_steps}; give 0 or more, or -1")
        if self.multiple < 1:
            raise ValueError(f"multiple is {self.multiple}; give at least 1")
        if self.tune_lr < 0 or self.hint < 0:
            raise ValueError(f"tune_lr is {self.tune_lr}, hint is {self.hint}; give 0 or more")
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}; give a number above 0")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is {self.share}; give 0 to 1")

    def unread(self) -> dict[str, str]:
        """Settings that none of the steps reads."""
        from shinso.compress.chain import parse

        steps = parse(self.do)
        kinds = {step.kind for step in steps}
        tuned = [one for one in steps if one.kind in ("prune", "channels") or one.learning]
        gently = any(step.how != "lottery" for step in tuned)
        bits = {step.bits for step in steps if step.kind == "quantize"}
        after = {step.bits for step in steps if step.kind == "quantize" and not step.learning}
        read = {
            "tune_steps": gently,
            "tune_lr": gently,
            "taught": bool(tuned),
            "calibration": 8 in bits or 4 in after,
            "per_channel": bool(bits - {2}),
            "symmetric": bool(after - {2}),
            "multiple": "channels" in kinds,
            "temperature": "distill" in kinds or self.taught,
            "share": "distill" in kinds or self.taught,
            "hint": "distill" in kinds and not self.sequence_level,
            "sequence_level": "distill" in kinds,
        }
        return {name: f"--do {self.do}" for name, does in read.items() if not does}
