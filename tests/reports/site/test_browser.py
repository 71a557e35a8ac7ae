"""The site in a browser, opened from its folder: nothing fails, nothing is requested, sorting and filtering work."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.site.names import slug
from tests.registry.samples import digest
from tests.reports.site.browser import look, needs_browser, with_scripts
from tests.reports.site.example import HOSTILE, METHODS, SHOWN, TASKS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = needs_browser


@pytest.fixture(scope="module")
def probed(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the site in which every page also runs probe.js."""
    return with_scripts(site, tmp_path_factory.mktemp("probed") / "out", Path(__file__).with_name("probe.js"))


@pytest.mark.parametrize(
    "page",
    [
        *("index.html", "claims.html", "regressions.html", "specs/quickstart.html", f"methods/{slug(HOSTILE)}.html"),
        *(f"tasks/{slug(task)}.html" for task in TASKS),
    ],
)
def test_a_page_is_quiet_and_draws_its_charts(probed: Path, browser: Browser, page: str) -> None:
    told = look(browser, (probed / page).as_uri())
    assert told["undrawn"] == []
    assert not told["turned"]
    assert told["usable"] < 1000


def test_headings_sort_up_and_down(probed: Path, browser: Browser) -> None:
    told = look(browser, (probed / "tasks" / f"{slug(TASKS[0])}.html").as_uri())
    (up, ranks), (down, reversed_ranks) = told["sorted"]["#"]
    assert (up, down) == ("ascending", "descending")
    assert ranks == ["1", "2", "3"]
    assert reversed_ranks == ["3", "2", "1"]
    assert told["sorted"]["method"][0][1] == [SHOWN, *sorted(m for m in METHODS if m != HOSTILE)]


def test_a_word_filters_rows(probed: Path, browser: Browser) -> None:
    page = probed / "tasks" / f"{slug(TASKS[0])}.html"
    narrowed = page.with_name("filter.html")
    name = f"quickstart--{slug(TASKS[0])}"
    tools = f'<label>filter <input type="search" data-filter="{name}"></label></main>'
    narrowed.write_text(page.read_text().replace("</main>", tools))
    assert look(browser, narrowed.as_uri())["filtered"] == [3, 1]


def test_a_saved_table_reads_back_and_holds_no_formula(probed: Path, browser: Browser) -> None:
    specs, methods, _ = look(browser, (probed / "index.html").as_uri())["csv"]
    assert [row["title"] for row in csv.DictReader(io.StringIO(specs))] == ["'=1+1, a title"]
    shown = [SHOWN if method == HOSTILE else method for method in METHODS]
    assert sorted(row["method"] for row in csv.DictReader(io.StringIO(methods))) == sorted(shown)


def test_the_trial_page_shows_any_trial(probed: Path, browser: Browser) -> None:
    told = look(browser, f"{(probed / 'trial.html').as_uri()}#{digest('trial 20')}")
    for words in (
        f"{SHOWN} on depth-train, seed 6: diverged",
        "became nan at step 40 <b>",
        "torch",
        "bench run quickstart -j 1 --only",
    ):
        assert words in told["trial"]
    assert "is no trial id" in look(browser, f"{(probed / 'trial.html').as_uri()}#<b>")["trial"]


@pytest.mark.parametrize("page", ["index.html", "specs/quickstart.html", "trial.html"])
def test_a_phone_shows_every_page_without_scrolling_sideways(probed: Path, browser: Browser, page: str) -> None:
    link = (probed / page).as_uri() + (f"#{digest('trial 3')}" if page == "trial.html" else "")
    assert look(browser, link, size=(390, 844))["wide"] <= 0
