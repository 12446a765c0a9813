"""Size of a report page, and when it is first seen and when its charts are drawn.

Makes a simulated market, `advisor report` of it, and opens the file in a headless
Chromium (Playwright, extra `browser`). Goals: below 6 MB for 3,000 ranked offers, first
contentful paint within a second.

    python benchmarks/page.py [--offers N] [--runs N]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

CHARTS = ("scatter", "bill", "limits", "threads", "choices")
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def advisor(*words: str) -> float:
    """Run a command; return its seconds."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "advisor", *words], check=True, capture_output=True
    )
    return time.perf_counter() - start


def seen(browser: Browser, url: str) -> dict[str, Any]:
    """Return milliseconds from the start of loading to what is seen, and of a filter."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(url, wait_until="commit")
    for name in CHARTS:
        page.wait_for_selector(f'[data-chart="{name}"] svg')
    drawn = page.evaluate("performance.now()")
    paint = page.evaluate(_PAINT)
    start = time.perf_counter()
    page.locator("select[name=count]").select_option("1")
    page.wait_for_selector("#count:has-text(' of ')")
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    filtered = 1000.0 * (time.perf_counter() - start)
    page.close()
    return {"first paint": paint, "charts drawn": drawn, "filter": filtered}


def main() -> None:
    """Print size and times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=4700, help="in the market")
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        market, report = Path(folder) / "market.gz", Path(folder) / "report.html"
        advisor("sample", "-o", str(market), "--offers", str(asked.offers))
        words = ["report", "resnet50", "--market", str(market), "-o", str(report)]
        made_s = advisor(*words)
        offers = report.read_text("utf-8").partition('"count":')[2].partition(",")[0]
        size = report.stat().st_size
        print(f"{int(offers):,} offers, {size / 1e6:.2f} MB (goal: below 6 for 3,000)")
        print(f"made in {made_s:.1f} s")
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium)
            runs = [seen(browser, report.as_uri()) for _ in range(asked.runs)]
            browser.close()
    for name in runs[0]:
        median = statistics.median(run[name] for run in runs)
        goal = " (goal: below 1,000)" if name == "first paint" else ""
        print(f"{name}: {median:,.0f} ms, median of {asked.runs}{goal}")


if __name__ == "__main__":
    main()
