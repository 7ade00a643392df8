"""The page of surfaces."""

import base64
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglet.postprocessing.mesh import Mesh, extract_mesh
from seglet.report.mesh_page import (
    MOST_TRIANGLES,
    STEPS,
    MeshPage,
    Surface,
    SurfaceSection,
    turning_scene,
    write_mesh_page,
)
from seglet.report.surfaces import draw_surfaces

EMPTY = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
NAME = "<script>document.title='hacked'</script> \"'&"


def box(*shape: int) -> Mesh:
    return extract_mesh(np.ones(shape, bool), (1.0, 1.0, 1.0), (9.0, 9.0, 9.0))


def write(path: Path) -> Path:
    mesh = box(6, 8, 10)
    surfaces = (
        Surface(NAME, mesh, (26, 212, 168), ("1 ml", "2 cm2"), ("a b_liver.stl",)),
        Surface("gone", EMPTY, (232, 122, 200), ("0 ml", "0 cm2")),
    )
    pictures = draw_surfaces({NAME: (mesh, (26, 212, 168))}, side=100)
    section = SurfaceSection("patient & 1", surfaces, tuple(pictures))
    return write_mesh_page(MeshPage("Surfaces", ("Volume", "Surface"), (section,), ("A note.",)), path)


def test_a_scene_is_the_mesh_on_a_scale_of_whole_numbers() -> None:
    mesh = box(4, 8, 20)
    (packed,) = turning_scene([Surface("a", mesh, (1, 2, 3)), Surface("gone", EMPTY, (4, 5, 6))])
    points = np.frombuffer(base64.b64decode(str(packed["points"])), "<u2").reshape(-1, 3)
    faces = np.frombuffer(base64.b64decode(str(packed["faces"])), "<u4").reshape(-1, 3)
    assert (faces == mesh.faces).all()
    assert points.max() == STEPS
    scale = float(np.ptp(mesh.vertices, axis=0).max()) / STEPS
    assert points * scale + mesh.vertices.min(axis=0) == pytest.approx(mesh.vertices, abs=scale)
    assert packed["color"] == [1, 2, 3]


def test_a_large_scene_is_made_smaller() -> None:
    mesh = box(60, 60, 60)
    assert len(mesh.faces) > MOST_TRIANGLES
    (packed,) = turning_scene([Surface("a", mesh, (1, 2, 3))])
    assert len(base64.b64decode(str(packed["faces"]))) / 12 <= MOST_TRIANGLES


def test_nothing_to_turn_is_no_scene() -> None:
    assert turning_scene([Surface("gone", EMPTY, (4, 5, 6))]) == []


def test_the_page_says_everything_and_loads_nothing(tmp_path: Path) -> None:
    text = write(tmp_path / "index.html").read_text(encoding="utf-8")
    for said in ("patient &amp; 1", "A note.", "1 ml", "Front", "Left", "Above", 'href="a%20b_liver.stl"'):
        assert said in text
    assert "<script>document.title" not in text
    assert not [word for word in ("http://", "https://", 'src="/', "@import") if word in text]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_draws_the_turning_view(tmp_path: Path) -> None:
    page = write(tmp_path / "index.html").as_uri()
    shown = chromium(tmp_path, "--dump-dom", page)
    assert "<title>Surfaces" in shown
    assert 'class="turning" data-scene' in shown
    assert " hidden" not in shown.split('class="turning"')[1].split("<canvas")[0].rsplit("}]", 1)[-1]
    chromium(tmp_path, "--window-size=1300,700", f"--screenshot={tmp_path / 'page.png'}", page)
    with Image.open(tmp_path / "page.png") as drawn:
        turning = np.asarray(drawn.convert("RGB"))[200:500, 950:1260].astype(int)
    is_green = (turning[..., 1] > turning[..., 0] + 40) & (turning[..., 1] > turning[..., 2])
    assert is_green.mean() > 0.1


def chromium(folder: Path, *arguments: str) -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
