"""What a training step minimises and reports, on values computed by hand."""

import math

import pytest
import torch
from monai.losses.dice import DiceCELoss
from torch import nn

from cardioseg.core.labels import IGNORED
from cardioseg.networks import SegOutput
from cardioseg.training.losses import SegmentationLoss, TaskLoss, batch_dice, token_weights


def test_the_loss_is_dice_and_cross_entropy_plus_weighted_parts():
    label = torch.tensor([[[0, 1], [2, 1]], [[0, 0], [1, 2]]])
    perfect = 30 * nn.functional.one_hot(label, 3).movedim(-1, 1).float()
    loss_of = SegmentationLoss(early_weight=0.5, penalties={"ponder": 0.1, "halting": 2.0})
    best, parts = loss_of(SegOutput(perfect, torch.ones(2, 1, 1)), label)
    assert best.item() == pytest.approx(0, abs=1e-4)
    assert parts.keys() == {"task"}
    flat = torch.zeros(2, 3, 2, 2)
    assert loss_of(SegOutput(flat, torch.ones(2, 1, 1)), label)[0].item() > math.log(3), (
        "cross-entropy alone is log 3"
    )
    output = SegOutput(
        flat,
        torch.ones(2, 1, 1),
        penalties={"ponder": torch.tensor(3.0), "halting": torch.tensor(0.25)},
    )
    output.early = perfect[:1]
    total, parts = loss_of(output, label)
    assert parts["early"] == pytest.approx(0, abs=1e-4), (
        "the early loss is of the first images only"
    )
    assert total.item() == pytest.approx(
        parts["task"] + 0.5 * parts["early"] + 0.1 * 3 + 2 * 0.25, abs=1e-5
    )


def test_a_penalty_without_a_weight_is_no_silent_zero():
    output = SegOutput(
        torch.zeros(1, 2, 2, 2), torch.ones(1, 1, 1), penalties={"new": torch.tensor(1.0)}
    )
    with pytest.raises(KeyError, match="new"):
        SegmentationLoss(early_weight=0, penalties={})(
            output, torch.zeros(1, 2, 2, dtype=torch.long)
        )


def test_batch_dice_of_known_masks():
    label = torch.zeros(1, 4, 4, dtype=torch.long)
    label[0, :2] = 1
    logits = torch.zeros(1, 3, 4, 4)
    logits[0, 1, 0], logits[0, 0, 1:] = 5, 5
    assert batch_dice(logits, label) == pytest.approx(2 * 4 / (4 + 8))
    assert math.isnan(batch_dice(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long)))


@pytest.mark.parametrize("depth", [(), (2,)])
def test_tokens_weigh_the_inverse_frequency_of_their_class(depth):
    label = torch.zeros(1, *depth, 8, 8, dtype=torch.long)
    label[..., :4, :4] = 2
    label[..., 4:, 4:7] = 1
    weights = token_weights(label, (*depth, 2, 2), 3)
    count = depth[0] if depth else 1
    expected = torch.tensor([[1.0, 0.5], [0.5, 1.0]]) / count
    assert torch.allclose(weights[0], expected.expand(*depth, 2, 2))


# ------------------------------------------------------------------------------------------ ignored


def drawn(seed=0, shape=(2, 6, 6), classes=4):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape[0], classes, *shape[1:], generator=generator, requires_grad=True)
    return logits, torch.randint(0, classes, shape, generator=generator)


def test_the_loss_without_ignored_voxels_is_monais():
    logits, label = drawn()
    expected = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)
    assert torch.equal(TaskLoss()(logits, label), expected(logits, label[:, None]))


def test_ignored_voxels_change_neither_loss_nor_gradient():
    logits, label = drawn()
    label[:, :2] = IGNORED
    TaskLoss()(logits, label).backward()
    assert (logits.grad[:, :, :2] == 0).all()
    assert (logits.grad[:, :, 2:] != 0).any()
    other = logits.detach().clone()
    other[:, :, :2] = 7
    assert torch.equal(TaskLoss()(logits, label), TaskLoss()(other, label))
    cut = TaskLoss()(logits[:, :, 2:], label[:, 2:])
    torch.testing.assert_close(TaskLoss()(logits, label), cut)


def test_a_batch_of_ignored_voxels_has_no_loss():
    logits, label = drawn()
    loss = TaskLoss()(logits, torch.full_like(label, IGNORED))
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()


def test_ignored_voxels_count_neither_in_dice_nor_in_balance():
    logits, label = drawn()
    guess = logits.argmax(1)
    label = guess.clone()
    label[:, :3] = IGNORED
    assert batch_dice(logits, label) == 1.0
    weights = token_weights(label, (2, 2), 4)
    assert (weights[:, 0] == 0).all()
    assert (weights[:, 1] > 0).all()
