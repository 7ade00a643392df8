"""The named rules."""

import pytest

from seglet.core.errors import ConfigError
from seglet.data.known_layouts import KNOWN
from seglet.metrics.objects import IMAGE_METRICS
from seglet.metrics.partition import PARTITION_METRICS
from seglet.metrics.protocols import PROTOCOLS, protocol_named, protocol_of_layout
from seglet.metrics.scores import METRICS


def test_every_protocol_says_its_rule_under_its_own_name() -> None:
    assert list(PROTOCOLS) == [
        *("pixels", "drive", "chasedb1", "stare", "hrf"),
        *("dsb2018", "isbi2012", "ctc-seg", "lits"),
    ]
    for name, protocol in PROTOCOLS.items():
        assert protocol.name == name
        assert protocol.version
        assert protocol.rule.endswith(".")
        assert "never the test images" in protocol.threshold_from


@pytest.mark.parametrize("name", ["drive", "chasedb1", "stare", "hrf"])
def test_retina_protocols_pool_the_pixels_inside_the_field_of_view(name: str) -> None:
    protocol = protocol_named(name)
    assert protocol.pooled_first
    assert "field of view" in protocol.rule


@pytest.mark.parametrize("name", ["drive", "chasedb1", "stare", "hrf"])
def test_vessels_have_centerlines(name: str) -> None:
    assert protocol_named(name).shape == "centerlines"


def test_organs_are_measured_in_mm_and_a_changed_rule_is_a_new_version() -> None:
    lits = protocol_named("lits")
    assert (lits.version, lits.shape, lits.is_absence_right) == ("2", "surfaces", True)
    assert f"{lits.tolerance_mm:g} mm" in lits.rule
    assert "Dice of 1" in lits.rule


def test_the_challenge_of_membranes_warns_of_its_own_figure() -> None:
    assert "all-black" in protocol_named("isbi2012").rule


def test_plain_protocol_averages_images() -> None:
    assert not protocol_named("pixels").pooled_first


@pytest.mark.parametrize("name", ["drive", "chasedb1", "dsb2018", "isbi2012", "ctc-seg", "lits"])
def test_published_figures_use_our_metric_names_and_say_their_source(name: str) -> None:
    protocol = protocol_named(name)
    assert protocol.published
    assert protocol.comparability
    for row in protocol.published:
        assert row.source
        assert set(row.figures) <= {*METRICS, *IMAGE_METRICS, *PARTITION_METRICS}
        assert all(0 < value < 1 for value in row.figures.values())


def test_published_figures_are_the_ones_on_record() -> None:
    drive = {row.label: row.figures for row in protocol_named("drive").published}
    assert drive["second observer"] == {
        "accuracy": 0.9473,
        "f1": 0.7891,
        "sensitivity": 0.7746,
        "specificity": 0.9725,
    }
    assert drive["retina-unet"]["roc_auc"] == 0.9790
    chase = {row.label: row.figures for row in protocol_named("chasedb1").published}
    assert chase["IterNet"] == {"roc_auc": 0.9851, "f1": 0.8073}
    assert protocol_named("dsb2018").published[0].figures == {"dsb": 0.631}
    em = protocol_named("isbi2012").published[0]
    assert em.figures == {
        "splits_mergers": 0.000353,
        "rand_error": 0.0382,
        "pixel_error": 0.0611,
        "v_rand": 0.9728,
        "v_info": 0.9866,
    }
    assert [row.figures["seg"] for row in protocol_named("ctc-seg").published] == [0.9203, 0.7756]
    lits = [(row.of_class, row.figures["dice"]) for row in protocol_named("lits").published]
    assert lits[:4] == [("liver", 0.963), ("liver", 0.944), ("tumor", 0.739), ("tumor", 0.539)]


@pytest.mark.parametrize(
    ("layout", "name", "headline"),
    [
        ("DRIVE", "drive", "dice"),
        ("CHASE_DB1", "chasedb1", "dice"),
        ("STARE", "stare", "dice"),
        ("HRF", "hrf", "dice"),
        ("Kaggle nuclei (one mask per object)", "dsb2018", "dsb"),
        ("ISBI 2012 (stacks)", "isbi2012", "rand_error"),
        ("Cell Tracking Challenge", "ctc-seg", "seg"),
        ("LiTS", "lits", "dice"),
        ("nnU-Net", "pixels", "dice"),
        ("", "pixels", "dice"),
    ],
)
def test_published_data_lead_to_their_protocol(layout: str, name: str, headline: str) -> None:
    protocol = protocol_of_layout(layout)
    assert (protocol.name, protocol.headline) == (name, headline)
    assert not layout or layout in {known.name for known in KNOWN}


def test_unknown_protocol_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'chase'.*'chasedb1'"):
        protocol_named("chase")
    with pytest.raises(ConfigError, match=r"pixels, drive"):
        protocol_named("zzz")
