"""What the sampled units sent back, as two assets made in one step: every return, and the answers that count.

Which deliveries of the wave hold returns, and how each comes within reach.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from asco_dagster.connectors.addresses import is_remote
from asco_dagster.connectors.fetch import fetch, hash_and_size, temporary_folder
from asco_dagster.connectors.limesurvey import export_responses
from asco_dagster.errors import ConfigurationError, SourceError
from asco_dagster.escaping import on_one_line
from asco_dagster.orchestration.checks import operator_address
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_assets
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.settings import Settings
from asco_dagster.sources.readers.sample_list import read_sample
from asco_dagster.sources.returns.archive_members import files_below
from asco_dagster.sources.returns.quarantine import Entry, Quarantine
from asco_dagster.sources.returns.reading import (
    Delivered,
    Returns,
    forms,
    read_returns,
    reread,
)
from asco_dagster.sources.returns.settling import Window
from asco_dagster.storage.inbox import require_deliveries
from asco_dagster.storage.invented import invented_mark
from asco_dagster.storage.places import Places
from asco_dagster.waves import Wave
from asco_dagster.waves.wave import Delivery

RETURNS, ANSWERS = "raw_asco__returns", "raw_asco__answers"
_SHOWN = 20  # refused returns in the metadata of the asset
_COLUMNS, _HEADING = 100, 60
"""How many columns that were not read are named, and with how many characters."""


def _state(step: WaveStep) -> list[Any]:
    """State of the returns: what was delivered, and what is in quarantine to be read again."""
    described = [described for _, described in _delivered(step)]
    entries = Quarantine(step.places.quarantine(step.wave.wave)).entries()
    return [described, [[entry.id, entry.state, entry.sha256] for entry in entries]]


def _delivered(step: WaveStep) -> list[tuple[Delivered, dict[str, Any]]]:
    """The wave's deliveries, brought within reach once a step, each with what the manifest says of it."""
    if not step.fetched:
        inbox = step.places.inbox(step.wave.wave)
        addresses = [delivery.address for _, delivery in return_deliveries(step.wave)]
        require_deliveries(step.wave, inbox, addresses)
    for unit_type, delivery in return_deliveries(step.wave):
        if delivery.address not in step.fetched:
            found, described = within_reach(
                delivery, unit_type, step.wave, step.places, step.settings, step.afterwards
            )
            inbox = step.places.inbox(step.wave.wave)
            step.fetched[delivery.address] = found, described | invented_mark(described, inbox)
    return [step.fetched[delivery.address] for _, delivery in return_deliveries(step.wave)]


@wave_assets(
    [
        f"{RETURNS}: One row per workbook, or a row of a web export, and what became of it: accepted, "
        "superseded by another one of its unit (with the rule that decided), or refused with its reason "
        "and put into quarantine.",
        f"{ANSWERS}: One row per unit and question answered, of the accepted returns, with file, tab and "
        "cell; contact details are never read.",
    ],
    deps=["raw_asco__sample"],
    state=_state,
)
def collected_returns(step: WaveStep) -> dict[str, Table]:
    """Read every return of the wave once."""
    import pyarrow as pa

    delivered = _delivered(step)
    found = collect([delivery for delivery, _ in delivered], step.wave, step.places)
    counts = found.counts
    step.log.info(
        f"{len(found.returns)} returns came in: {counts['accepted']} accepted,"
        f" {counts['superseded']} superseded, {counts['refused']} refused;"
        f" {counts['ignored']} files are not returns"
    )
    metadata: dict[str, Any] = {name: dg.MetadataValue.int(count) for name, count in counts.items()}
    if counts["refused"]:
        wave = step.wave.wave
        metadata["refusals"] = _refusals(found)
        metadata["refused returns"] = _refused(Quarantine(step.places.quarantine(wave)).entries())
        metadata["list"] = dg.MetadataValue.url(operator_address(step.settings, wave, "quarantine"))
    for file, columns in found.left_out.items():
        names = _named(columns)
        step.log.warning(
            f"{file}: {len(columns)} columns are no question of the questionnaire and were not read: {names};"
            " nothing of them is stored"
        )
        metadata[f"columns not read of {file}"] = dg.MetadataValue.text(names)
    return {
        RETURNS: Table(
            pa.Table.from_pandas(found.returns, preserve_index=False),
            {"files": [described for _, described in delivered], **metadata},
        ),
        ANSWERS: Table(found.answers, {}),
    }


def return_deliveries(wave: Wave) -> Iterator[tuple[str, Delivery]]:
    """The wave's deliveries of returns, each with the type of unit that it is for."""
    for unit_type, deliveries in (
        ("commune", wave.sources.commune_returns),
        ("epci", wave.sources.epci_returns),
    ):
        for delivery in deliveries:
            yield unit_type, delivery


def within_reach(
    delivery: Delivery,
    unit_type: str,
    wave: Wave,
    places: Places,
    settings: Settings,
    afterwards: contextlib.ExitStack,
) -> tuple[Delivered, dict[str, Any]]:
    """Make a delivery readable. What comes from an address holds contact details and stays for the step only.

    Args:
        delivery: the delivery.
        unit_type: type of unit that it is for.
        wave: the wave.
        places: where inbox and downloads are.
        settings: the environment.
        afterwards: takes the removal of what was fetched.

    Returns:
        The delivery, and what the manifest says of it: address, checksum, size in bytes.

    Raises:
        SourceError: it is not there, or may not be read.
    """
    if delivery.return_format == "limesurvey_api":
        survey = delivery.address.removeprefix("limesurvey://")
        # Never written to a file: the export holds contact details.
        content = export_responses(int(survey), settings)
        described = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        name = Path(f"limesurvey-{survey}.csv")
        return Delivered(name, "limesurvey", unit_type, content), {"address": delivery.address, **described}
    folder = places.inbox(wave.wave) / delivery.address
    if "://" not in delivery.address and folder.is_dir():
        if not folder.resolve().is_relative_to(places.inbox(wave.wave).resolve()):
            raise SourceError("the folder is outside the inbox", file=folder, remedy="put it into the inbox")
        described = _folder_described(folder)
        return Delivered(folder, delivery.return_format, unit_type), {
            "address": delivery.address,
            **described,
        }
    into = places.downloads(wave.wave)
    if is_remote(delivery.address):
        into = afterwards.enter_context(temporary_folder(into))
    path = fetch(delivery.address, into=into, base=places.inbox(wave.wave), sha256=delivery.sha256)
    return Delivered(path, delivery.return_format, unit_type), {
        "address": delivery.address,
        **hash_and_size(path),
    }


def collect(deliveries: list[Delivered], wave: Wave, places: Places) -> Returns:
    """Read deliveries against the wave's questionnaires and sample.

    Args:
        deliveries: within reach.
        wave: the wave.
        places: where sample and quarantine are; the quarantine is brought up to date.
    """
    return read_returns(
        deliveries,
        codebooks=load_questionnaire(wave.questionnaire).codebooks,
        wave=wave.wave,
        sampled=sampled_units(wave, places),
        collection=Window(wave.collection.start, wave.collection.end),
        quarantine=Quarantine(places.quarantine(wave.wave)),
    )


def try_again(
    wave: Wave, places: Places, settings: Settings, ids: Sequence[str] | None = None
) -> list[Entry]:
    """Read the returns in quarantine again and mark those that can be read for the next run.

    Args:
        wave: the wave.
        places: where deliveries, sample and quarantine are.
        settings: the environment, for deliveries from an address.
        ids: some entries; None takes every one.

    Returns:
        The entries after that: ``retry``, ``refused`` with the reason of today, or ``absent``.

    Raises:
        ConfigurationError: an entry that does not exist.
        SourceError: a delivery or the sample is not there.
    """
    quarantine = Quarantine(places.quarantine(wave.wave))
    waiting = {entry.id: entry for entry in quarantine.entries()}
    unknown = [name for name in ids or () if name not in waiting]
    if unknown:
        raise ConfigurationError(
            f"{', '.join(unknown)} not in the quarantine of wave {wave.wave}",
            remedy=f"See asco quarantine list {wave.wave}",
        )
    entries = [waiting[name] for name in ids] if ids is not None else list(waiting.values())
    codebooks = load_questionnaire(wave.questionnaire).codebooks
    expected = forms(codebooks, wave.wave, sampled_units(wave, places))
    tried = []
    with contextlib.ExitStack() as afterwards:
        deliveries = [
            within_reach(delivery, unit_type, wave, places, settings, afterwards)[0]
            for unit_type, delivery in return_deliveries(wave)
        ]
        for entry, state, record in reread(entries, deliveries, expected):
            if state == "refused" and record is not None:
                tried.append(quarantine.put(record, entry))
            else:
                tried.append(quarantine.mark(entry, state))
    return tried


def sampled_units(wave: Wave, places: Places) -> set[tuple[str, str]] | None:
    """Type and code of every sampled unit, from the delivered sample; None where the wave draws it."""
    if not wave.sources.sample:
        return None
    units: set[tuple[str, str]] = set()
    for delivery in wave.sources.sample:
        path = fetch(
            delivery.address,
            into=places.downloads(wave.wave),
            base=places.inbox(wave.wave),
            sha256=delivery.sha256,
        )
        sample = read_sample(path)
        units |= set(zip(sample["unit_type"], sample["unit_code"], strict=True))
    return units


def _folder_described(folder: Path) -> dict[str, Any]:
    """Checksum of a folder: that of its files' names and checksums."""
    digest, size = hashlib.sha256(), 0
    for path in sorted(found for found in files_below(folder) if found.is_file() and not found.is_symlink()):
        described = hash_and_size(path)
        digest.update(
            f"{path.relative_to(folder).as_posix()}\0{described['sha256']}\n".encode("utf-8", "replace")
        )
        size += described["bytes"]
    return {"sha256": digest.hexdigest(), "bytes": size}


def _named(columns: Sequence[str]) -> str:
    """Names of columns as delivered, each cut where a heading is a whole text."""
    shown = [on_one_line(name)[:_HEADING] for name in columns[:_COLUMNS]]
    more = f" and {len(columns) - _COLUMNS} more" if len(columns) > _COLUMNS else ""
    return ", ".join(shown) + more


def _refused(entries: Sequence[Entry]) -> dg.MetadataValue:
    """The first refused returns: file, place, reason and what to do; the list has them all."""
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "file": on_one_line(entry.file) + (f", row {entry.row}" if entry.row is not None else ""),
                    "place": " ".join(part for part in (entry.tab, entry.cell) if part),
                    "reason": on_one_line(entry.en),
                    "what to do": entry.remedy_en,
                }
            )
            for entry in entries[:_SHOWN]
        ]
    )


def _refusals(found: Returns) -> dg.MetadataValue:
    """Number of refusals by reason, as a table."""
    counted = found.returns.loc[found.returns["status"] == "refused", "reason"].value_counts().sort_index()
    return dg.MetadataValue.table(
        [dg.TableRecord({"reason": str(reason), "returns": int(count)}) for reason, count in counted.items()]
    )
