"""A web export of the true size is read in seconds."""

import time
from pathlib import Path

from asco_dagster.sources.readers.survey_returns import read_survey_export


def test_a_million_cells_of_a_survey_export(tmp_path: Path) -> None:
    questions = [f"Q{number:02d}" for number in range(84)]
    path = tmp_path / "export.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write(";".join(["unit_code", "submitted_at", "version", *questions]) + "\n")
        for unit in range(12_000):
            answers = ("12,5" if (unit + number) % 2 else "" for number in range(84))
            file.write(";".join([f"{unit:05d}", "2025-10-01", "2025.1", *answers]) + "\n")
    start = time.perf_counter()
    found = read_survey_export(path, questions=set(questions), contact=set(), unit_type="commune")
    assert time.perf_counter() - start < 6  # 1.1 s measured; the margin is for a busy machine
    assert len(found) == 12_000 * 42
    assert found.iloc[0][["unit_code", "question", "value", "source_row"]].tolist() == [
        "00000",
        "Q01",
        "12,5",
        2,
    ]
    assert found["source_row"].is_monotonic_increasing
