"""``shinso claims list|show|run``: what the course says, and what was measured of it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from shinso.claims import catalogue
from shinso.claims.claim import Profile
from shinso.cli.parsing import Parser
from shinso.cli.terminal import print_columns
from shinso.language import _
from shinso.runs.ledger import Ledger

HELP = "list, show or measure claims of the course"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("claims")
    parser.add_argument("do", choices=("list", "show", "run"))
    every = _("a claim or a chapter; all without")
    parser.add_argument("names", nargs="*", metavar="CLAIM", help=every)
    profile = parser.add_mutually_exclusive_group()
    profile.add_argument("--quick", action="store_true", help=_("few seeds (the default)"))
    profile.add_argument("--full", action="store_true", help=_("all seeds"))
    parser.add_argument("--workers", type=int, help=_("processes; one for each core without"))
    parser.add_argument(
        "--report", type=Path, default=Path("report"), help=_("folder whose ledger is used")
    )
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    names = catalogue.select(read.names)
    ledger = Ledger(read.report / "ledger")
    chosen: Profile = "full" if read.full else "quick"
    if read.do == "list":
        return _list(names, ledger, chosen, as_json=read.json)
    if read.do == "run":
        again = shlex.join(["shinso", "claims", *arguments])
        _measure(names, ledger, chosen, read.workers, again)
    return _show(names, ledger, chosen, as_json=read.json)


def _measure(
    names: list[str], ledger: Ledger, profile: Profile, workers: int | None, again: str
) -> None:
    from shinso.claims import machine
    from shinso.cli.progress import ClaimProgress

    claims = [catalogue.load(name) for name in names]
    with ClaimProgress() as progress:
        machine.run(
            claims, ledger, profile, workers=workers, on_progress=progress.on_claim, resume=again
        )


def _list(names: list[str], ledger: Ledger, profile: Profile, *, as_json: bool) -> int:
    from shinso.claims.judgement import judge

    rows = [
        (name, _(judge(claim, ledger, profile).final_verdict.value), str(claim.says))
        for name in names
        for claim in [catalogue.load(name)]
    ]
    if as_json:
        keys = ("claim", "verdict", "says")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], ensure_ascii=False))
        return 0
    for name, verdict, says in rows:
        print(f"{name}  [{verdict}]\n    {says}")
    return 0


def _show(names: list[str], ledger: Ledger, profile: Profile, *, as_json: bool) -> int:
    from shinso.claims.judgement import judge

    found = [judge(catalogue.load(name), ledger, profile) for name in names]
    if as_json:
        print(json.dumps([one.as_dict() for one in found], ensure_ascii=False, default=str))
        return 0
    for one in found:
        claim = one.claim
        print(
            f"{claim.name}: {_(one.final_verdict.value)}"
            + (f" ({_('stale')})" if one.stale else "")
        )
        print(f"  {claim.says}\n  {claim.place}")
        if claim.truth:
            print("  " + _("what is true: {truth}").format(truth=claim.truth))
        print(f"  {one.reason}")
        print("  " + _("rule: {rule}").format(rule=claim.rule))
        if one.finding and one.finding.estimates:
            print_columns(
                [
                    ("  " + _("number"), _("value"), _("95 % interval"), _("seeds")),
                    *(
                        (f"  {estimate.name}", *estimate.spelled())
                        for estimate in one.finding.estimates
                    ),
                ]
            )
        for failure in one.failures:
            print(
                "  " + _("seed {seed} failed: {why}").format(seed=failure.seed, why=failure.error)
            )
    return 0
