"""The files that a wave was made of, as its sources recorded them, and whether some are invented."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from asco_dagster.orchestration.release_guard import materialization
from asco_dagster.orchestration.wave_step import WaveStep
from asco_dagster.storage.invented import DEMONSTRATION, ENGLISH, FRENCH
from asco_dagster.waves import Wave
from asco_dagster.waves.form import Text


def recorded_inputs(instance: dg.DagsterInstance, wave: str, assets: Sequence[str]) -> list[dict[str, Any]]:
    """The files that the sources recorded when they read them, with their checksums."""
    files = []
    for asset in assets:
        record = materialization(instance, wave, asset)
        made = record.asset_materialization if record else None
        recorded = made.metadata.get("files") if made else None
        read: Any = recorded.value if recorded else []
        files += [{"asset": asset, **file} for file in read]
    return files


def marked_step(step: WaveStep, assets: Sequence[str]) -> tuple[WaveStep, str]:
    """A step whose wave says in its titles that its data are invented, where a file of it is.

    Every page, workbook and catalogue record takes its title from the wave.

    Args:
        step: of the publication.
        assets: whose files count: all before it.

    Returns:
        The step, and what the manifest says of the data; empty where no file is invented.
    """
    files = recorded_inputs(step.context.instance, step.wave.wave, assets)
    if not any(file.get("invented") for file in files):
        return step, ""
    return replace(step, wave=_marked(step.wave)), DEMONSTRATION


def _marked(wave: Wave) -> Wave:
    release = wave.release.model_copy(update={"title": _marked_text(wave.release.title)})
    return wave.model_copy(update={"label": _marked_text(wave.label), "release": release})


def _marked_text(text: Text) -> Text:
    return Text(fr=f"{FRENCH} – {text.fr}", en=f"{ENGLISH} – {text.en}")
