"""The content of a release: its tables, the labels of their codes, the wave. Every format is written from it.

It holds nothing of the working database, so that no format can hold more than the released tables do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.tables import indicators_table, questions_table
from asco_dagster.releases.contract import ReleasedTable, undeclared
from asco_dagster.releases.labels import Labels
from asco_dagster.waves import Wave
from asco_dagster.waves.form import Text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Content:
    """The content of a release.

    Attributes:
        wave: the wave, as its file declares it.
        tables: the released tables by their names, in the order of the release.
        labels: labels of the codes.
    """

    wave: Wave
    tables: Mapping[str, ReleasedTable]
    labels: Labels

    def of(self, place: str) -> Iterator[ReleasedTable]:
        """The tables whose files are in a folder of the release."""
        return (table for table in self.tables.values() if table.contract.file.startswith(f"{place}/"))

    def frame(self, name: str, columns: Sequence[str]) -> "pd.DataFrame":
        """Columns of a released table as a data frame.

        Raises:
            ReleaseError: one of them is not declared.
        """
        rows = self.tables[name].rows
        missing = [column for column in columns if column not in rows.column_names]
        if missing:
            raise undeclared(name, missing)
        return rows.select(list(columns)).to_pandas()

    def label(self, dimension: str, code: str, language: int = 0) -> str:
        """The label of a code, French (0) or English (1); the code itself where it has none."""
        found = self.labels[dimension].get(code)
        return found[language] if found else code


@dataclass(frozen=True)
class Theme:
    """Indicators that are read together: those of one module of one questionnaire.

    Attributes:
        unit_type: who answers.
        label: name of the module.
        indicators: their codes, in the order of the catalogue.
    """

    unit_type: str
    label: Text
    indicators: tuple[str, ...]


def themes(wave: Wave) -> list[Theme]:
    """The themes of a wave, in the order of its questionnaires; an indicator belongs where it first asks."""
    first = indicators_table(wave).drop_duplicates(["unit_type", "indicator"])
    asked = questions_table(wave)[["unit_type", "question", "module"]]
    placed = first.merge(asked, on=["unit_type", "question"], how="left", validate="many_to_one")
    found = []
    for unit_type, codebook in sorted(load_questionnaire(wave.questionnaire).codebooks.items()):
        asked_of = placed[placed["unit_type"] == unit_type]
        for module in codebook.modules:
            codes = tuple(asked_of.loc[asked_of["module"] == module.code, "indicator"])
            if codes:
                found.append(Theme(unit_type, Text(fr=module.label.fr, en=module.label.en), codes))
    return found
