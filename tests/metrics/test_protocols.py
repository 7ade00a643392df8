"""The named rules."""

import pytest

from seglet.core.errors import ConfigError
from seglet.metrics.protocols import PROTOCOLS, protocol_named
from seglet.metrics.scores import METRICS


def test_every_protocol_says_its_rule_under_its_own_name() -> None:
    assert list(PROTOCOLS) == ["pixels", "drive", "chasedb1", "stare", "hrf"]
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


def test_plain_protocol_averages_images() -> None:
    assert not protocol_named("pixels").pooled_first


@pytest.mark.parametrize("name", ["drive", "chasedb1"])
def test_published_figures_use_our_metric_names_and_say_their_source(name: str) -> None:
    protocol = protocol_named(name)
    assert protocol.published
    assert protocol.comparability
    for row in protocol.published:
        assert row.source
        assert set(row.figures) <= set(METRICS)
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


def test_unknown_protocol_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'chase'.*'chasedb1'"):
        protocol_named("chase")
    with pytest.raises(ConfigError, match=r"pixels, drive"):
        protocol_named("zzz")
