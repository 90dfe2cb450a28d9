"""``asco acknowledge``: records that somebody has looked at the warnings of a gate."""

from typing import Annotated

import typer

from asco_dagster.cli.arguments import WaveName, home
from asco_dagster.errors import ConfigurationError
from asco_dagster.gates.history.store import Acknowledgement, keep_acknowledgement, now
from asco_dagster.gates.results import read_result
from asco_dagster.gates.suite import suite_assets
from asco_dagster.gates.suite_faults import nearest
from asco_dagster.waves import load_wave


def acknowledge(
    wave: WaveName,
    asset: Annotated[str, typer.Argument(help="The asset whose gate warns, for example est_asco__sample.")],
    by: Annotated[str, typer.Option(help="Your name.")],
    reason: Annotated[str, typer.Option(help="Why it may be so.")],
) -> None:
    """Acknowledge the warnings of a gate, on the operator's page, while the same is observed.

    Example: asco acknowledge 2014 est_quality__population --by "Ada" --reason "One commune merged late"
    """
    load_wave(wave)
    if asset not in suite_assets():
        raise ConfigurationError(
            f"there is no gate of {asset}",
            expected=nearest(asset, suite_assets()) or "the name of an asset",
            remedy="Name the asset as the operator's page does",
        )
    if not by.strip() or not reason.strip():
        raise ConfigurationError("a name or a reason is empty", remedy="Give both: --by and --reason")
    _, places = home()
    result = read_result(places.gates(wave), asset, wave)
    warnings = [one for one in result.verdicts if not one.passed and not one.closes]
    if not warnings:
        raise ConfigurationError(
            f"the gate of {asset} has no warning in wave {wave}",
            remedy="What blocks cannot be acknowledged: correct it" if result.closed else "Nothing is to do",
        )
    for one in warnings:
        known = Acknowledgement(asset, one.reason, one.observed, now(), by.strip(), reason.strip())
        keep_acknowledgement(places.wave(wave), known)
    typer.echo(f"wave {wave}: {len(warnings)} of the warnings of {asset} acknowledged by {by.strip()}")
