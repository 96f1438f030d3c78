"""A report in a real browser: nothing is loaded, nothing is reported, and it fits on a phone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browser import Page, browser
from reported import Made, made_run, with_text

from fdd_edge.reporting import write_report

WIDTHS = (1280, 800, 400)


class Site:
    """A server on this machine, which knows what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []

        class Handler(SimpleHTTPRequestHandler):
            def log_message(handler, format: str, *given: object) -> None:
                self.asked.append(handler.path)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as opened:
        yield opened


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.server.shutdown()
    site.server.server_close()


def pictures(tmp_path: Path) -> Path:
    """Return where pictures are kept for a person to look at."""
    folder = Path(os.environ.get("FDD_EDGE_TEST_PICTURES", str(tmp_path)))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_page_loads_nothing_and_fits_its_window(page: Page, site: Site, tmp_path: Path) -> None:
    made_run(tmp_path / "run", Made())
    write_report([tmp_path / "run"], tmp_path / "report.html")
    page.requests.clear()
    page.open(f"{site.address}/report.html")
    for width in WIDTHS:
        for dark in (False, True):
            page.show(width, dark=dark)
            assert page.value("document.documentElement.scrollWidth") <= width
            background = page.value("getComputedStyle(document.body).backgroundColor")
            assert (int(background.removeprefix("rgb(").split(",")[0]) < 128) == dark
            page.picture(pictures(tmp_path) / f"report-{width}{'-dark' if dark else ''}.png")
    page.value("for (const one of document.querySelectorAll('details')) one.open = true")
    page.show(400)
    assert page.value("document.documentElement.scrollWidth") <= 400
    page.paper(pictures(tmp_path) / "report.pdf")
    assert [address for address in page.requests if not address.startswith("data:")] == [f"{site.address}/report.html"]
    assert site.asked == ["/report.html"]
    assert page.said == []


def test_every_chart_has_a_text_and_no_mark_outside_its_picture(page: Page, tmp_path: Path) -> None:
    made_run(tmp_path / "run", Made())
    write_report([tmp_path / "run"], tmp_path / "report.html")
    page.show(1280)
    page.open((tmp_path / "report.html").as_uri())
    charts = page.value("[...document.querySelectorAll('svg[role=img]')].map(one => one.ariaLabel.length)")
    assert len(charts) >= 8
    assert min(charts) > 40
    outside = """[...document.querySelectorAll('svg[role=img]')].flatMap(chart => {
        const box = chart.getBoundingClientRect()
        return [...chart.querySelectorAll('text,circle,polygon,path,rect,polyline')].filter(mark => {
            const own = mark.getBoundingClientRect()
            const [left, right] = [own.left < box.left - 3, own.right > box.right + 3]
            return left || right || own.top < box.top - 3 || own.bottom > box.bottom + 3
        }).map(mark => mark.outerHTML)
    })"""
    assert page.value(outside) == []


def test_a_strangers_text_is_text(page: Page, site: Site, tmp_path: Path) -> None:
    """A question full of HTML, with everything that a browser would load or run if it were markup."""
    leak = f"{site.address}/leak"
    text = (
        f"</pre></title></style><script src={leak}>alert(1)</script><img src={leak} onerror=alert(1)>"
        f"<iframe src={leak}></iframe><svg onload=alert(1)>\"'><link rel=stylesheet href={leak}>"
        f'<meta http-equiv=refresh content="0;url={leak}"><base href={leak}> &lt;u&gt; \u202e\x00 javascript:alert(1)'
        f"{'long' * 60}"
    )
    made_run(tmp_path / "run", with_text(text))
    write_report([tmp_path / "run"], tmp_path / "report.html")
    page.show(1280)
    page.open(f"{site.address}/report.html")
    assert site.asked == ["/report.html"]
    assert page.said == []
    assert page.value("document.querySelectorAll('script,img,iframe,base,object,embed,form,u').length") == 0
    assert page.value("document.querySelectorAll('meta[http-equiv=refresh]').length") == 0
    shown = page.value("document.body.textContent")
    assert "<script src=" in shown
    assert "&lt;u&gt; \\u202e\\x00 javascript:alert(1)" in shown
    for width in WIDTHS:
        page.show(width)
        assert page.value("document.documentElement.scrollWidth") <= width
    page.picture(pictures(tmp_path) / "hostile.png")
