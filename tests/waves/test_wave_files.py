"""Wave files: the shipped ones are valid, and each kind of mistake is reported with file, key and remedy."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from asco_dagster.errors import ConfigurationError
from asco_dagster.waves import load_wave, readable_waves, wave_names
from asco_dagster.waves.bounds import suite_parameters
from asco_dagster.waves.wave import FOLDER, Delivery, Sources


def test_every_wave_that_is_shipped_is_valid() -> None:
    assert wave_names()[:2] == ["2014", "2025"]
    assert {load_wave(name).wave for name in wave_names()} == set(wave_names())
    assert load_wave("2014").sampling.commune.size == 8600
    assert load_wave("2014").sampling.epci.size == 1400
    later = load_wave("2025").sampling
    assert later.commune.size + later.epci.size == 12000


def test_a_wave_states_only_what_differs() -> None:
    earlier, later = load_wave("2014"), load_wave("2025")
    stated = yaml.safe_load((FOLDER / "2014.yaml").read_text(encoding="utf-8"))["bounds"]
    assert {name: bound for name, bound in earlier.bounds.items() if bound != later.bounds[name]} == {
        **stated,
        **{"sample_units_min": 10000, "sample_units_max": 10000, "published_figures": 28},
    }
    assert later.bounds["sample_units_min"] == later.bounds["sample_units_max"] == 12000
    assert earlier.bounds["minimum_respondents"] == earlier.disclosure.minimum_respondents
    assert set(earlier.bounds) == set(later.bounds) == set(suite_parameters())


def test_a_stated_bound_and_drift_replace_the_default(tmp_path: Path) -> None:
    def change(content: dict) -> None:
        content["bounds"] |= {"weight_max": 300, "sample_units_min": 9000}
        content["drift"] = {"former_wave": {"share": 0.5}}
        content["disclosure"]["minimum_respondents"] = 5
        content["release"]["approval"] = "automatic"

    changed, shipped = load_wave("2014", _changed(tmp_path, change)), load_wave("2014")
    assert changed.bounds == {
        **shipped.bounds,
        **{"weight_max": 300, "sample_units_min": 9000, "minimum_respondents": 5},
    }
    assert changed.drift.former_wave.share == 0.5
    assert changed.drift.former_wave.total == shipped.drift.former_wave.total
    assert changed.drift.last_release == shipped.drift.last_release
    assert (changed.release.approval, shipped.release.approval) == ("automatic", "required")


def test_a_parameter_of_a_suite_without_a_bound_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = {**suite_parameters(), "rows_max": "est_x__y.json"}
    monkeypatch.setattr("asco_dagster.waves.bounds.suite_parameters", lambda: found)
    with pytest.raises(ConfigurationError) as caught:
        load_wave("2014", _changed(tmp_path, lambda _: None))
    assert str(caught.value) == (
        "file 2014.yaml: the suite est_x__y.json takes the parameter “rows_max”, which has no bound. "
        "Add rows_max under bounds of this file or of defaults.yaml, or correct the suite."
    )


def _changed(tmp_path: Path, change) -> Path:
    content = yaml.safe_load((FOLDER / "2014.yaml").read_text(encoding="utf-8"))
    change(content)
    (tmp_path / "2014.yaml").write_text(yaml.safe_dump(content, allow_unicode=True))
    return tmp_path


def _group(content: dict, code: str) -> dict:
    """A group of the recoding, by its code."""
    return next(group for group in content["disclosure"]["recoding"] if group["code"] == code)


def _set(path: str, value):
    def change(content: dict) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            content = content[parent]
        content[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("colour", "blue"), ["2014.yaml", "key colour", "unknown key"]),
        (_set("collection.start", "2016-13-01"), ["2014.yaml", "key collection.start"]),
        (_set("collection.end", "2015-01-01"), ["2014.yaml", "key collection", "not after its start"]),
        (_set("release.embargo", "2015-09-02"), ["2014.yaml", "embargo", "before the end of collection"]),
        (_set("disclosure.minimum_respondents", 1), ["2014.yaml", "disclosure.minimum_respondents"]),
        (
            _set("sampling.epci.minimum_per_stratum", 4),
            ["sampling.epci.minimum_per_stratum 4 is below calibration.minimum_respondents 5", "better 12"],
        ),
        (_set("sources.epci_members", []), ["2014.yaml", "sources.epci_members"]),
        (
            _set("questionnaire", "1999"),
            ["2014.yaml", "no version “1999” of the questionnaire", "questionnaires/1999", "2014, 2025"],
        ),
        (_set("wave", "2015"), ["2014.yaml", "2015", "“2014”"]),
        (_set("sampling.commune.size_classes", [{"code": "a", "from_population": 5}]), ["size_classes"]),
        (
            lambda content: (
                _group(content, "75-92")["areas"].append("93")
                or _group(content, "75-92-93-94")["unit_types"].append("commune")
            ),
            ["2014.yaml", "disclosure", "departement 75 is in two groups of commune tables"],
        ),
        (_set("bounds", None), ["2014.yaml", "key bounds", "valid dictionary"]),
        (
            _set("bounds.wieght_max", 120),
            ["2014.yaml", "key bounds.wieght_max: no suite takes this parameter", "weight_max"],
        ),
        (
            _set("bounds.minimum_respondents", 3),
            [
                "2014.yaml",
                "key bounds.minimum_respondents repeats disclosure.minimum_respondents",
                "Remove it",
            ],
        ),
        (_set("bounds.published_figures", 28), ["bounds.published_figures repeats the number of figures"]),
        (_set("release.approval", "never"), ["2014.yaml", "key release.approval"]),
        (_set("drift", {"former_wave": {"share": -1}}), ["2014.yaml", "key drift.former_wave.share"]),
    ],
)
def test_a_mistake_names_file_key_and_remedy(tmp_path: Path, change, message: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_wave("2014", _changed(tmp_path, change))
    for part in message:
        assert part in str(caught.value)


def test_an_unknown_wave_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"no wave “1999”.*2014, 2025"):
        load_wave("1999")


def test_broken_yaml_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "2014.yaml").write_text("wave: [")
    with pytest.raises(ConfigurationError, match=r"2014\.yaml: not valid YAML"):
        load_wave("2014", tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "limesurvey_api"}, "go together"),
        ({"address": "limesurvey://12"}, "go together"),
        ({"address": "limesurvey://12", "format": "limesurvey_api", "sha256": "0" * 64}, "no sha256"),
        ({"format": "pdf"}, "Input should be"),
    ],
)
def test_a_format_of_returns_that_cannot_be_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Delivery.model_validate({"address": "returns.zip", "vintage": 2025, **change})


def test_a_name_says_its_format_and_only_returns_have_one() -> None:
    def delivery(address: str, **more: str) -> dict[str, object]:
        return {"address": address, "vintage": 2025, **more}

    formats = {"a.csv": "export", "a.zip": "workbooks", "a.tar.gz": "workbooks", "folder": "workbooks"}
    for address, kind in formats.items():
        assert Delivery.model_validate(delivery(address)).return_format == kind
    assert Delivery.model_validate(delivery("a.csv", format="limesurvey")).return_format == "limesurvey"
    sources = load_wave("2014").sources.model_dump()
    sources["sample"] = [delivery("sample.csv", format="export")]
    with pytest.raises(ValidationError, match="sample: only returns have a format"):
        Sources.model_validate(sources)


def _folder_with_strays(folder: Path) -> list[str]:
    """The shipped waves, and what may be beside wave files on an office's machine."""
    for wave in ("2014", "2025"):
        (folder / f"{wave}.yaml").write_bytes((FOLDER / f"{wave}.yaml").read_bytes())
    copy = (FOLDER / "2014.yaml").read_bytes()
    strays = {
        "2014-copie.yaml": copy,
        "2025,v2.yaml": copy,
        "2014 (1).yaml": copy,
        "._2014.yaml": b"\0\5\x16\7",
        "2014.YAML": copy,
        "2014.yml": copy,
        "٢٠١٤.yaml": copy,
        "notes.yaml": b"- call the INSEE",
    }
    for name, content in strays.items():
        (folder / name).write_bytes(content)
    (folder / "2015.yaml").mkdir()
    (folder / "2016.yaml").symlink_to(folder / "gone.yaml")
    (folder / "2014.yaml~").write_bytes(copy)
    return [*strays, "2015.yaml", "2016.yaml"]


def test_a_stray_file_beside_the_waves_is_no_wave_and_is_named(tmp_path: Path) -> None:
    strays = _folder_with_strays(tmp_path)
    assert wave_names(tmp_path) == ["2014", "2025"]
    found = readable_waves(tmp_path)
    assert [wave.wave for wave in found.waves] == ["2014", "2025"]
    assert set(found.faults) == set(strays)
    assert found.faults["2014-copie.yaml"] == (
        "file 2014-copie.yaml: this is not a wave file and is ignored; expected a file named after a year of"
        " four digits, such as 2014.yaml. Rename it, or move it out of the folder of the waves."
    )
    with pytest.raises(ConfigurationError, match="there is no wave “2014-copie”; expected one of 2014, 2025"):
        load_wave("2014-copie", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it holds no keys"),
        (b"wave: '2020'\nlabel: [", "not valid YAML"),
        (b"\xff\xfe2\x000\x00", "not valid UTF-8 at byte 0"),
        (b"- 2020", "it holds no keys"),
    ],
)
def test_a_faulty_wave_file_does_not_stop_the_others(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "2014.yaml").write_bytes((FOLDER / "2014.yaml").read_bytes())
    (tmp_path / "2020.yaml").write_bytes(content)
    found = readable_waves(tmp_path)
    assert [wave.wave for wave in found.waves] == ["2014"]
    assert list(found.faults) == ["2020.yaml"]
    assert message in found.faults["2020.yaml"]
    assert found.faults["2020.yaml"].startswith("file 2020.yaml: ")
