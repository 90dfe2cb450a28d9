"""Rows of a wave that ran, spoilt so that the expectations of any suite fail in many ways."""

import pandas as pd


def spoilt(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows with some doubled and some values gone."""
    rows = pd.concat([frame, frame.head(5)], ignore_index=True)
    for column in rows.columns:
        if len(rows) > 20 and not pd.api.types.is_bool_dtype(rows[column]):
            rows[column] = rows[column].where(rows.index % 17 != 3)
    return rows
