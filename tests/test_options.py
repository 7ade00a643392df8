import pytest
from typer.testing import CliRunner

from seglet.cli import app


@pytest.mark.parametrize("command", ["check", "plan", "train", "tune", "convert"])
def test_commands_on_data_share_their_options(command: str) -> None:
    said = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
    for option in ("--recipe", "-r", "--set", "-s", "KEY=VALUE", "--json", "CSV table or HDF5 pack"):
        assert option in said


def test_a_setting_may_be_said_many_times(tmp_path: object) -> None:
    result = CliRunner().invoke(app, ["plan", "nowhere", "-s", "plan.batch_size=2", "-s", "trian.x=1"])
    assert result.exit_code == 2
    assert "trian" in result.stderr
