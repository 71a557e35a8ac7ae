"""What every test starts from, and what becomes of the comparisons with oracles."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

#: Set by `nox -s full`: where to write the table of oracles.
ORACLE_TABLE = "METHODBENCH_ORACLE_TABLE"


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """Put denormal numbers back: trials flush them, for the whole process, and hypothesis needs them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that calls `agree` is an oracle test, whether or not this session goes on to run it."""
    from tests.oracles import RECORD

    for item in items:
        code = getattr(getattr(item, "function", None), "__code__", None)
        if code is not None and "agree" in code.co_names:
            item.add_marker("oracle")
            RECORD.tests.add(item.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    from tests.oracles import RECORD

    if report.when == "call" and report.passed:
        RECORD.settled.add(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table of oracles if it is asked for and complete."""
    if ORACLE_TABLE not in os.environ:
        return
    from harness.catalog import load_catalogue
    from tests.oracles import RECORD, table

    why = RECORD.refusal(session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS)
    if why:
        _say(session, f"the table of oracles is not written: {why}")
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        return
    components = (key for slot in load_catalogue()["components"].values() for key in slot)
    Path(os.environ[ORACLE_TABLE]).write_text(table(RECORD.rows, components))
    _say(session, f"wrote {os.environ[ORACLE_TABLE]}")


def _say(session: pytest.Session, line: str) -> None:
    terminal: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    terminal.ensure_newline()
    terminal.write_line(line)
