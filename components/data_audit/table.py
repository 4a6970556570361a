"""The table of a data audit: `audit.parquet`, a row for each image, the most suspicious first.

| column           | type   |                                                                     |
|------------------|--------|---------------------------------------------------------------------|
| image_id         | string | as in the Examples                                                  |
| path             | string | relative to the source                                              |
| split            | string |                                                                     |
| label            | string | name of the class                                                   |
| label_confidence | float  | known probability that the label is right; 1 where nothing is known |
| quality          | float  | probability of the label out of fold; null where there are no folds |
| suggested        | string | the most probable other class; null where there are no folds        |
| suspect          | bool   | whether confident learning finds the label wrong                    |
| votes, voters    | int    | of the most similar images, how many have the suggested class       |
| distance         | float  | cosine distance to a quarter of the nearest class                   |
| outlier          | bool   | whether that is far out                                             |
| fold             | int    | -1: answered by a probe on train and val                            |
"""

from __future__ import annotations

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

from thawline.components.shared.errors import DataError

FILE = 'audit.parquet'
SCHEMA = pa.schema(
    [
        ('image_id', pa.string()),
        ('path', pa.string()),
        ('split', pa.string()),
        ('label', pa.string()),
        ('label_confidence', pa.float32()),
        ('quality', pa.float32()),
        ('suggested', pa.string()),
        ('suspect', pa.bool_()),
        ('votes', pa.int32()),
        ('voters', pa.int32()),
        ('distance', pa.float32()),
        ('outlier', pa.bool_()),
        ('fold', pa.int32()),
    ]
)


def write(folder: str | pathlib.Path, table: pa.Table) -> None:
    """Writes the file; the folder is made."""
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    pq.write_table(table, pathlib.Path(folder, FILE))


def read(folder: str | pathlib.Path) -> pa.Table:
    """Reads the file.

    Raises:
        DataError: it is missing or damaged.
    """
    file = pathlib.Path(folder, FILE)
    try:
        return pq.read_table(file, schema=SCHEMA)
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise DataError(
            f'{file} cannot be read ({error}); write it again with: thawline run --no-cache'
        ) from error
