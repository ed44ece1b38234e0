"""A kept network says of files what it said in its run."""

import numpy as np
import pytest
import torch
from kept_networks import CLASSES, keep, train_and_keep
from PIL import Image

from cnnbench.inference.files import image_files
from cnnbench.inference.network import Prediction, load_network
from cnnbench.schema.kept import MEAN_IMAGE
from cnnbench.store import CellFolder, DamagedError, StoreError


def of(predictions):
    return np.stack([each.logits for each in predictions])


def test_the_test_images_get_the_logits_of_the_run_bit_for_bit(run, folder, photos, network):
    files = image_files([photos / "test"])
    kept = folder.predictions()
    assert [str(path.relative_to(photos)) for path in files] == list(kept.names)
    assert of(network.predict(files)).tobytes() == kept.logits.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "request_of",
    [
        {"models": "alexnet", "recipe": "paper", "image_size": 64},  # a mean image, ten views
        {"models": "resnet18", "image_size": 64},
        {"models": "googlenet", "image_size": 64},
        {"models": "resnet18", "image_size": 64, "as_precision": "bf16"},
    ],
    ids=lambda each: f"{each['models']} {each.get('recipe', each.get('as_precision', ''))}",
)
def test_every_recipe_and_precision_gives_the_logits_of_its_run(tmp_path, request_of):
    run = train_and_keep(tmp_path, **request_of)
    folder = run.cell(run.plan().cells[0])
    network = load_network(folder)
    files = image_files([tmp_path / "photos" / "test"])
    assert of(network.predict(files)).tobytes() == folder.predictions().logits.tobytes()


def test_a_file_that_cannot_be_read_is_a_row_with_the_reason(photos, network, tmp_path):
    sound = photos / "test" / "pear" / "3.jpg"
    torn, words = tmp_path / "torn.jpg", tmp_path / "words.jpg"
    torn.write_bytes(sound.read_bytes()[:300])
    words.write_text("no picture")
    files = [torn, sound, tmp_path / "gone.jpg", words, tmp_path, sound]
    rows = network.predict(files)
    assert [row.path for row in rows] == files
    assert [bool(row.reason) for row in rows] == [True, False, True, True, True, False]
    assert "No such file" in rows[2].reason
    assert "not an image" in rows[3].reason
    assert rows[4].reason == "not a file"
    assert rows[0].top(3) == []
    assert rows[0].probabilities is None
    assert np.array_equal(rows[1].logits, rows[5].logits)


def test_unreadable_files_leave_the_batches_of_the_others_as_they_were(photos, network, tmp_path):
    files = image_files([photos / "test"])
    (tmp_path / "torn.jpg").write_bytes(b"")
    mixed = [tmp_path / "torn.jpg", *files[:20], tmp_path / "gone.jpg", *files[20:]]
    with_gaps = [row for row in network.predict(mixed, batch_size=8) if row.logits is not None]
    assert of(with_gaps).tobytes() == of(network.predict(files, batch_size=8)).tobytes()


def test_progress_counts_every_file(photos, network):
    heard = []
    network.predict(image_files([photos / "test"]), progress=lambda *seen: heard.append(seen))
    assert [done for done, _ in heard] == [32, 39]
    assert {total for _, total in heard} == {39}


def test_no_files_give_no_rows(network):
    assert network.predict([]) == []


def test_loading_moves_no_random_number_of_the_caller(folder):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    load_network(folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_module_is_in_evaluation_mode_and_stays_so(photos, network):
    network.predict([photos / "test" / "pear" / "3.jpg"])
    assert not network.model.training
    assert network.notices == ()


def test_the_top_classes_are_in_order_and_of_equal_ones_the_first_is_named():
    logits = np.array([1.0, 3.0, 3.0], dtype=np.float32)
    row = Prediction(path="x", classes=CLASSES, logits=logits)
    (first, chance), (second, other), (third, _) = row.top(9)
    assert (first, second, third) == ("pear", "plum", "apple")
    assert chance == other
    assert sum(chance for _, chance in row.top(3)) == pytest.approx(1)
    assert row.top(1) == [(first, chance)]


def copied(folder, home, **changes):
    """Return the kept network's folder again, its facts changed."""
    kept = folder.kept()
    other = CellFolder(home, folder.cell)
    other.write_network(folder.weights(kept), kept.model_copy(update=changes))
    return other


def test_weights_that_are_not_those_of_the_network_are_refused(folder, tmp_path):
    other = copied(folder, tmp_path, model="lenet5")
    with pytest.raises(StoreError, match="not the lenet5 that this cnnbench builds"):
        load_network(other)


def test_a_folder_without_a_network_says_so(tmp_path, folder):
    with pytest.raises(StoreError, match="no network was kept"):
        load_network(CellFolder(tmp_path, folder.cell))


def test_damage_is_seen_before_anything_is_built(tmp_path, folder):
    other = CellFolder(tmp_path, folder.cell)
    keep(other)
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(DamagedError):
        load_network(other)


def test_what_is_not_as_it_was_is_told(folder, tmp_path):
    network = load_network(copied(folder, tmp_path, device="mps", decode_version=1))
    assert len(network.notices) == 2
    assert "trained on mps" in network.notices[0]
    assert "rules 1" in network.notices[1]


def test_an_image_that_is_subtracted_travels_with_the_weights(folder, tmp_path, photos):
    kept = folder.kept()
    image = torch.rand(kept.image_size, kept.image_size, 3)
    other = CellFolder(tmp_path, folder.cell)
    state = folder.weights(kept) | {MEAN_IMAGE: image}
    other.write_network(state, kept.model_copy(update={"mean": None}))
    network = load_network(other)
    squares = np.zeros((1, kept.stored_size, kept.stored_size, 3), dtype=np.uint8)
    wanted = -image.permute(2, 0, 1) / torch.tensor(kept.std).view(3, 1, 1)
    torch.testing.assert_close(network.inputs_of(squares)[0], wanted.float())


def test_larger_photos_than_the_run_allowed_are_refused(folder, tmp_path):
    network = load_network(copied(folder, tmp_path, max_megapixels=1))
    large = tmp_path / "large.png"
    Image.new("L", (1200, 1000)).save(large)
    (row,) = network.predict([large])
    assert "megapixels" in row.reason
