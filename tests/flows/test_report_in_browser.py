"""The report as a real browser shows it."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from seglet.report.content import Example, ReportContent
from seglet.report.page import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A report with one example, whose name a careless page would run as a script."""
    truth = np.zeros((64, 64), np.uint8)
    truth[16:48, 16:48] = 1
    image = np.repeat((truth * 200)[..., None], 3, axis=2)
    name = "<script>document.title='hacked'</script>"
    example = Example(id=name, image=image, truth=truth, predicted=truth, fov=None, score=1.0, note="best")
    content = ReportContent(
        title="a test", created="today", class_names=("background", "cell"), examples=(example,)
    )
    return write_report(content, tmp_path / "report.html")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_browser_shows_the_report_and_runs_nothing(page: Path, tmp_path: Path) -> None:
    shown = _chromium(tmp_path, "--dump-dom", page.as_uri())
    assert "Examples" in shown
    assert "<title>hacked" not in shown
    assert "&lt;script&gt;document.title" in shown


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_browser_draws_something_at_phone_width(page: Path, tmp_path: Path) -> None:
    from PIL import Image

    picture = tmp_path / "phone.png"
    _chromium(tmp_path, "--window-size=500,900", f"--screenshot={picture}", page.as_uri())
    with Image.open(picture) as drawn:
        assert drawn.size == (500, 900)
        assert len(drawn.convert("RGB").getcolors(maxcolors=2**24) or []) > 50


def _chromium(folder: Path, *arguments: str) -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
