"""Keys and values of every token, stored while exited tokens are skipped.

The state of an exited token never changes again, and neither do the keys and values made from it:
they are computed once more after its last loop and then stored. Attention over the stored ones
equals attention with every token computed, exactly.

Shape legend: B images, N tokens each, H heads, C channels per head, D width; M tokens in a row over
the batch, given by their flat index b N + n in ascending order.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from cardioseg.layers.attention import Attention, Rotary, attend, rotate


class KeyValueStore:
    """Keys and values of B × N tokens, refreshed in part.

    Args:
        attention: the looped block's.
        rotary: positions of the N tokens.
        images: B.
    """

    def __init__(self, attention: Attention, rotary: Rotary, images: int) -> None:
        self.attention, self.rotary, self.images = attention, rotary, images
        self.tokens = len(rotary.cos)
        self.keys = self.values = torch.empty(0)

    def refresh(self, x: Tensor, index: Tensor) -> None:
        """Recompute the keys and values of the tokens x (M, D) at ``index``.

        The first call must give all tokens.
        """
        key, value = self.attention.keys_values(x[None], self._positions(index))
        rows_key, rows_value = key[0].transpose(0, 1), value[0].transpose(0, 1)
        if not self.keys.numel():
            self.keys, self.values = rows_key.contiguous(), rows_value.contiguous()
        else:
            self.keys[index], self.values[index] = rows_key, rows_value

    def attend(self, x: Tensor, index: Tensor) -> Tensor:
        """Attention output (M, D) of the tokens x (M, D) at ``index`` over their whole image."""
        width = x.shape[-1]
        query = self.attention.query(x).view(1, len(x), self.attention.heads, -1).transpose(1, 2)
        query = rotate(query, self._positions(index))
        counts = torch.bincount(index // self.tokens, minlength=self.images).tolist()
        pieces = zip(
            torch.split(query, counts, dim=2),
            self._per_image(self.keys),
            self._per_image(self.values),
            strict=True,
        )
        mixed = [_attend_in_blocks(q, k, v) for q, k, v in pieces if q.shape[2]]
        out: Tensor = self.attention.out(
            torch.cat(mixed, dim=2).transpose(1, 2).reshape(len(x), width)
        )
        return out

    def _positions(self, index: Tensor) -> Rotary:
        place = index % self.tokens
        return Rotary(self.rotary.cos[place], self.rotary.sin[place])

    def _per_image(self, rows: Tensor) -> list[Tensor]:
        """(B N, H, C) as B times (1, H, N, C)."""
        return [image.transpose(0, 1)[None] for image in torch.split(rows, self.tokens)]


def _attend_in_blocks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """``attend``; in bf16 the queries are padded to blocks of 32, as are groups in ``experts``."""
    rows = query.shape[2]
    if query.dtype is not torch.bfloat16:
        return attend(query, key, value)
    return attend(F.pad(query, (0, 0, 0, -rows % 32)), key, value)[:, :, :rows]
