"""Settings and data that training refuses, before anything is begun."""

import pytest
from small_run import prepared_in, request

from cardioseg.core.errors import EXIT_USAGE, ConfigError, InputError
from cardioseg.workflows.train import SplitChoice, TrainingRequest, train


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_in(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("trainig.steps=3", "'trainig'"),
        ("training.stepps=3", "'stepps'"),
        ("network.widht=3", "'widht'"),
        ("augment.zooom=1", "'zooom'"),
        ("training.steps=0", "steps = 0"),
        ("training.steps=many", "steps = 'many'"),
        ("training.average=1.5", "average = 1.5"),
        ("network.halting=sometimes", "halting = 'sometimes'"),
        ("network.name=unet", "'unet'"),
        ("network.classes=1", "classes = 1"),
        ("windows.overlap=1", "overlap = 1"),
        ("sampling.window=[32]", "window"),
        ("preparation.spacing_mm=1.25", "preparation.spacing_mm"),
        ("training=5", "training = 5"),
        ("preparation=5", "preparation = 5"),
        ("network=5", "network = 5"),
        ("steps", "'steps'"),
        ("=3", "'=3'"),
    ],
)
def test_settings_that_nothing_knows_or_allows_are_named(prepared, tmp_path, override, named):
    with pytest.raises(ConfigError) as caught:
        train(request(prepared, tmp_path / "run", override))
    assert named in caught.value.found
    assert caught.value.exit_code == EXIT_USAGE
    assert not (tmp_path / "run").exists(), "nothing is begun"


@pytest.mark.parametrize(
    ("text", "named"),
    [("[training]\nstepps = 3\n", "stepps"), ("[training\n", "TOML"), ("\xff", "")],
)
def test_a_settings_file_is_checked_like_the_command_line(prepared, tmp_path, text, named):
    path = tmp_path / "own.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        train(TrainingRequest(prepared, tmp_path / "run", settings=path))
    assert named in caught.value.found
    assert caught.value.file == str(path)
    with pytest.raises(ConfigError, match=r"none\.toml"):
        train(TrainingRequest(prepared, tmp_path / "run", settings=tmp_path / "none.toml"))


def test_an_unprepared_folder_and_a_split_without_patients_are_input_errors(prepared, tmp_path):
    with pytest.raises(InputError, match="run cardioseg prepare first"):
        train(TrainingRequest(tmp_path, tmp_path / "run"))
    split = tmp_path / "split.json"
    split.write_text('{"train": ["anna"], "val": []}')
    with pytest.raises(InputError, match="no training patient"):
        train(request(prepared, tmp_path / "run", split=SplitChoice(file=split)))
