"""Every data set that a task may name in `data=`, images and tables alike, and the hash its results depend on.

The images are in `harness/parts/data.py`, the tables in `harness/parts/tabular.py`: a task imports the one it reads.
Nothing here imports torch or numpy.
"""

from __future__ import annotations

from harness.parts.data import DATASETS, Dataset
from harness.parts.tabular import TABLES, Table


def known() -> dict[str, Dataset | Table]:
    """All data sets by name, the images first."""
    return {**DATASETS, **TABLES}


def content_hash(name: str) -> str:
    """Hash of the files of a data set, "absent" where it is missing.

    Raises:
        KeyError: there is no data set of that name.
    """
    return known()[name].hash() or "absent"
