from pathlib import Path

import pytest
import yaml

from seglet.core.errors import ConfigError
from seglet.networks.unet import UNetConfig
from seglet.recipe import Recipe, parse_recipe, read_recipe, recipe_names, recipe_text, to_text


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_can_be_read_and_says_what_it_is(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.description
    assert recipe_names()[name] == recipe.description
    assert parse_recipe(yaml.safe_load(recipe_text(name)), name) == recipe


def test_the_text_of_a_recipe_says_every_setting_and_reads_back(tmp_path: Path) -> None:
    recipe = read_recipe(
        "auto", ["fit.budget_s=2m", "plan.channels=[4, 8]", "masks.classes={rest: 0, cell: 7}"]
    )
    path = tmp_path / "my.yaml"
    path.write_text(to_text(recipe))
    assert read_recipe(path) == recipe
    assert set(yaml.safe_load(to_text(recipe))) == set(Recipe.model_fields)


def test_a_file_needs_to_say_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "my.yml"
    path.write_text("fit: {steps: 7}\n")
    assert read_recipe(path) == Recipe(fit=Recipe().fit.model_copy(update={"steps": 7}))


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing yet\n")
    assert read_recipe(path) == Recipe()


def test_settings_change_a_recipe_without_touching_it() -> None:
    first = Recipe()
    second = read_recipe(
        first,
        ["fit.steps=12", "fit.learning_rate=1e-3", "network.norm=group", "split.test=last 3", "name=mine"],
    )
    assert (second.fit.steps, second.network.norm, second.split.test) == (12, "group", "last 3")
    assert second.name == "mine"
    assert second.fit.learning_rate == 0.001
    assert first == Recipe()


@pytest.mark.parametrize("kind", ["unet", "unet2015", "retina_patch", "residual_unet"])
def test_every_kind_of_network_is_written_and_read(kind: str, tmp_path: Path) -> None:
    recipe = read_recipe("auto", [f"network={{kind: {kind}, head: softmax}}"])
    path = tmp_path / "my.yaml"
    path.write_text(to_text(recipe))
    assert read_recipe(path) == recipe
    assert recipe.network.kind == kind


def test_a_network_without_a_kind_is_the_unet() -> None:
    assert read_recipe("auto", ["network={norm: group}"]).network == UNetConfig(norm="group")


@pytest.mark.parametrize(
    "setting", ["network.dropout=2", "network={kind: unet2015, dropout: 2}", "split.folds=many"]
)
def test_a_key_is_named_as_it_is_written(setting: str) -> None:
    """Not by the kind or type that was tried last."""
    with pytest.raises(ConfigError) as error:
        read_recipe("auto", [setting])
    assert error.value.where in ("recipe auto, key network.dropout", "recipe auto, key split.folds")


def test_a_setting_may_hold_equal_signs_and_open_a_group() -> None:
    recipe = read_recipe("auto", ["layout.image=images/a={id}.png", "description=a=b = c"])
    assert recipe.layout is not None
    assert recipe.layout.image == "images/a={id}.png"
    assert recipe.description == "a=b = c"


@pytest.mark.parametrize(("setting", "found"), [("fit.steps", "no `=`"), ("=3", "no key")])
def test_a_setting_needs_a_key_and_a_value(setting: str, found: str) -> None:
    with pytest.raises(ConfigError, match=f"--set {setting}: found {found}"):
        read_recipe("auto", [setting])


@pytest.mark.parametrize(
    ("setting", "near"),
    [
        ("fit.learning_rat=1", "fit.learning_rate"),
        ("netwrk.norm=batch", "network"),
        ("patches.augment.rotatoin=3", "patches.augment.rotation"),
        ("network.dropuot=0.1", "network.dropout"),
        ("network={kind: unet2015, drpout: 0.1}", "network.dropout"),
        ("network={kind: residual_unet, n_block: [2]}", "network.n_blocks"),
    ],
)
def test_an_unknown_key_names_the_nearest(setting: str, near: str) -> None:
    key = setting.split("=")[0]
    with pytest.raises(ConfigError, match=rf"found an unknown key.*Did you mean {near}\?") as error:
        read_recipe("auto", [setting])
    assert key.split(".")[0] in error.value.where


def test_an_empty_value_is_empty_text_as_a_shell_passes_it() -> None:
    layout = "layout={image: '{id}.png', labels: '{id}_mask.png'}"
    for said in ("layout.group=", "layout.group=''", 'layout.group=""'):
        found = read_recipe("auto", [layout, said]).layout
        assert found is not None and found.group == ""
    with pytest.raises(ConfigError, match="valid integer"):
        read_recipe("auto", ["fit.steps="])
    assert read_recipe("nuclei", ["fit.steps=null"]).fit.steps is None


def test_an_unknown_kind_is_named_alone() -> None:
    with pytest.raises(
        ConfigError, match=r"key network\.kind: found 'vnet'; expected one of unet, "
    ) as error:
        read_recipe("nuclei", ["network.kind=vnet"])
    assert "dropout" not in str(error.value)


def test_settings_that_another_kind_left_behind_say_how_to_start_anew() -> None:
    with pytest.raises(ConfigError, match=r"network\.norm: .*--set 'network=\{kind: retina_patch\}' starts"):
        read_recipe("liver-torch", ["network.kind=retina_patch"])
    assert read_recipe("liver-torch", ["network={kind: retina_patch}"]).network.kind == "retina_patch"


def test_a_key_like_no_other_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"expected one of name, description, .*protocol\. Remove it\."):
        read_recipe("auto", ["qqq=1"])


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("fit.learning_rate=-1", "greater than 0"),
        ("fit.optimizer=lion", "'adamw', 'adam' or 'sgd'"),
        ("plan.patch_size=[64]", "at least 2 items"),
        ("fit=fast", "FitConfig"),
        ("network=fast", "one of unet, unet2015, retina_patch, residual_unet"),
        ("network={kind: vnet}", "one of unet, unet2015, retina_patch, residual_unet"),
        ("network.dropout=2", "less than 1"),
        ("network={kind: residual_unet, n_blocks: [0]}", "greater than or equal to 1"),
        ("fit.steps=many", "valid integer"),
    ],
)
def test_an_impossible_value_says_what_would_be_possible(setting: str, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_recipe("auto", [setting])
    assert setting.split("=")[0] in error.value.where
    assert expected in error.value.expected


def test_an_unknown_recipe_names_the_nearest_and_all() -> None:
    with pytest.raises(ConfigError, match=r"recipe aut: found no shipped recipe.*auto.*Did you mean auto\?"):
        read_recipe("aut")
    with pytest.raises(ConfigError, match="See `seglet recipes`"):
        recipe_text("zzzzzzzz")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"fit: [", "not YAML"),
        (b"\xff\xfe\x00", "not YAML"),
        (b"- fit\n- plan\n", "['fit', 'plan']"),
        (b"just words\n", "'just words'"),
        (b"1: 2\n", "{1: 2}"),
        (b"no: 2\n", "{False: 2}"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_by_name(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_recipe(path)
    assert error.value.where == str(path)
    assert found in error.value.found


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_recipe(tmp_path / "missing.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        read_recipe(tmp_path / "folder.yaml")


def test_yaml_cannot_call_code(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text(f"name: !!python/object/apply:os.mkdir [{str(tmp_path / 'made')!r}]\n")
    with pytest.raises(ConfigError):
        read_recipe(path)
    assert not (tmp_path / "made").exists()
