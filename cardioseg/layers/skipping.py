"""Keys and values of every token, kept while some tokens are skipped.

A halted token's state never changes again, so neither do the keys and values made from it: they are computed once more after
its last loop and kept. Attention over the kept ones equals attention in which every token is computed, exactly.

Shape legend: B images, N tokens each, H heads, C channels per head, D width; M tokens in a row over the batch, given by their
flat index b N + n in ascending order.
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
        """Recompute the keys and values of the tokens x (M, D) at ``index``; all of them on the first call."""
        key, value = self.attention.keys_values(x[None], self._positions(index))
        rows_key, rows_value = key[0].transpose(0, 1), value[0].transpose(0, 1)
        if not self.keys.numel():
            self.keys, self.values = rows_key.contiguous(), rows_value.contiguous()
        else:
            self.keys[index], self.values[index] = rows_key, rows_value

    def attend(self, x: Tensor, index: Tensor) -> Tensor:
        """Attention output (M, D) of the tokens x (M, D) at ``index``, each against all tokens of its image."""
        width = x.shape[-1]
        query = self.attention.query(x).view(1, len(x), self.attention.heads, -1).transpose(1, 2)
        query = rotate(query, self._positions(index))
        counts = torch.bincount(index // self.tokens, minlength=self.images).tolist()
        pieces = zip(
            query.split(counts, dim=2),
            self._per_image(self.keys),
            self._per_image(self.values),
            strict=True,
        )
        mixed = [_attend_in_blocks(q, k, v) for q, k, v in pieces if q.shape[2]]
        return self.attention.out(torch.cat(mixed, dim=2).transpose(1, 2).reshape(len(x), width))

    def _positions(self, index: Tensor) -> Rotary:
        place = index % self.tokens
        return Rotary(self.rotary.cos[place], self.rotary.sin[place])

    def _per_image(self, rows: Tensor) -> list[Tensor]:
        """(B N, H, C) as B times (1, H, N, C)."""
        return [image.transpose(0, 1)[None] for image in rows.split(self.tokens)]


def _attend_in_blocks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """``attend``, in bf16 with the queries padded to whole blocks, for the reason of the experts' groups (``layers.experts``)."""
    rows = query.shape[2]
    if query.dtype is not torch.bfloat16:
        return attend(query, key, value)
    return attend(F.pad(query, (0, 0, 0, -rows % 32)), key, value)[:, :, :rows]
