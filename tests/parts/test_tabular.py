"""Guards the tables: the right numbers, no heavy import to ask for them, one clear line when one cannot be used."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.listing import datasets as listed
from harness.parts.data import DATASETS
from harness.parts.tabular import TABLES
from harness.protocols.context import Skip

TABLE = TABLES["breast-cancer"]
needs_it = pytest.mark.skipif(not TABLE.present(), reason=TABLE.remedy)


@needs_it
def test_breast_cancer_equals_what_scikit_learn_loads() -> None:
    truth = pytest.importorskip("sklearn.datasets").load_breast_cancer()
    x, y = TABLE.load()
    assert np.array_equal(x.numpy(), truth.data)
    assert np.array_equal(y.numpy(), truth.target)


@needs_it
@pytest.mark.parametrize("name", TABLES)
def test_entries_tell_the_truth_about_their_data(name: str) -> None:
    table = TABLES[name]
    x, y = table.load()
    assert (x.shape, y.shape) == ((table.examples, table.features), (table.examples,))
    assert (x.dtype, y.dtype) == (torch.float64, torch.int64)
    assert sorted(set(y.tolist())) == list(range(table.classes))
    assert table.hash() == table.content
    assert table.bytes() > 0


@needs_it
def test_what_is_loaded_may_be_changed() -> None:
    before = TABLE.load()[0].sum()
    TABLE.load()[0].zero_()
    assert TABLE.load()[0].sum() == before


def test_a_missing_table_skips_with_the_command_that_brings_it() -> None:
    for place in (("sklearn", "no", "such.csv"), ("no_such_package_here", "file")):
        table = dataclasses.replace(TABLE, place=place)
        assert (table.present(), table.hash(), table.bytes()) == (False, "", 0)
        with pytest.raises(Skip) as refusal:
            table.load()
        assert str(refusal.value) == f"data set breast-cancer is missing; run: {TABLE.remedy}"


@needs_it
def test_a_file_with_other_content_is_refused() -> None:
    with pytest.raises(Skip, match="another than expected"):
        dataclasses.replace(TABLE, content="0" * 64).load()


def test_presence_and_hash_load_no_numeric_library() -> None:
    code = (
        "import sys; from harness.parts.tabular import TABLES; "
        "[(t.present(), t.hash(), t.bytes()) for t in TABLES.values()];"
        "print(sorted({'torch', 'numpy', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert result.stdout.strip() == "[]"


def test_tables_are_listed_beside_the_images_under_other_names() -> None:
    assert not set(TABLES) & set(DATASETS)
    assert "breast-cancer" in listed()
