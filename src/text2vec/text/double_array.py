"""Builds the double array in which a compact tokenizer file keeps its vocabulary.

A node of the trie is one little-endian 64-bit unit: the first slot of its children in bits 32 to
63, the id of the entry that ends in it plus one in bits 8 to 31, its own label in bits 0 to 7; the
child along byte ``b`` lies in slot ``first + b``. Slot 0 is the root.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["build_double_array"]

_IntArray = NDArray[np.int64]

# Slots among which a node with several children looks for a place; a big integer of this many bits
# is searched by a few machine operations, and the array stays more than nine tenths full.
_WINDOW = 8192
_MAX_ID = (1 << 24) - 2


@dataclass(frozen=True)
class _Nodes:
    """A trie by levels: the children of a node are neighbours, in the order of their labels.

    Attributes
    ----------
    labels, ids
        The byte that leads to each node, and the id of the entry that ends there or -1.
    first_child, n_children
        Where the children of each node start among the nodes, and how many they are.
    """

    labels: _IntArray
    ids: _IntArray
    first_child: _IntArray
    n_children: _IntArray


def build_double_array(entries: Mapping[bytes, int]) -> NDArray[np.uint64]:
    """Return the units of the trie that maps each key to its id.

    Parameters
    ----------
    entries
        Ids from 0 to 16,777,214 by key; keys are not empty and hold no zero byte.

    Returns
    -------
    NDArray[np.uint64]
        The units, at least one: no entries give a root without children.

    Raises
    ------
    ValueError
        If a key is empty or holds a zero byte, or if an id is out of range.

    Notes
    -----
    Source: Aoe 1989, "An efficient digital search algorithm by using a double-array structure".
    Instead of its CHECK array no two nodes share a first slot, so that a slot's label alone tells
    whose child it is (as in darts-clone).

    Examples
    --------
    >>> units = build_double_array({b"a": 0, b"ab": 5})
    >>> slot = int(units[0] >> 32) + ord("a")
    >>> int(units[slot]) >> 8 & 0xFFFFFF, int(units[slot]) & 0xFF == ord("a")
    (1, True)
    """
    for key in (key for key in entries if not key or b"\0" in key):
        raise ValueError(f"key {key!r} is empty or holds a zero byte; such keys cannot be found")
    for key, value in (entry for entry in entries.items() if not 0 <= entry[1] <= _MAX_ID):
        raise ValueError(f"id {value} of key {key!r} is out of range; expected 0 to {_MAX_ID}")
    nodes = _lay_levels(entries)
    slots, first_slots = _place(nodes)
    n_units = int(slots.max()) + 1
    # A leaf's children would start beyond the array, so that every step from it is refused.
    first_slots = np.where(nodes.n_children == 0, n_units, first_slots)
    units = np.zeros(n_units, np.uint64)
    packed = first_slots << 32 | (nodes.ids + 1) << 8 | nodes.labels
    units[slots] = packed.astype(np.uint64)
    return units


def _lay_levels(entries: Mapping[bytes, int]) -> _Nodes:
    """Return the trie's nodes, the root first, then level by level."""
    keys = sorted(entries)
    lengths = np.fromiter(map(len, keys), np.int64, len(keys))
    depth = int(lengths.max(initial=0))
    matrix = np.zeros((len(keys), depth), np.uint8)
    filled = np.arange(depth) < lengths[:, None]
    matrix[filled] = np.frombuffer(b"".join(keys), np.uint8)
    ids_of_keys = np.fromiter(map(entries.__getitem__, keys), np.int64, len(keys))
    node_of_key = np.zeros(len(keys), np.int64)
    parents, labels, ids = [np.array([-1])], [np.array([0])], [np.array([-1])]
    n_nodes = 1
    for level in range(depth):
        rows = np.flatnonzero(lengths > level)
        parent, label = node_of_key[rows], matrix[rows, level].astype(np.int64)
        # Keys are sorted, so those that share a prefix of this length are neighbours.
        is_new = np.ones(len(rows), bool)
        is_new[1:] = (parent[1:] != parent[:-1]) | (label[1:] != label[:-1])
        node = n_nodes + np.cumsum(is_new) - 1
        node_of_key[rows] = node
        level_ids = np.full(int(is_new.sum()), -1)
        ends = lengths[rows] == level + 1
        level_ids[node[ends] - n_nodes] = ids_of_keys[rows[ends]]
        parents.append(parent[is_new])
        labels.append(label[is_new])
        ids.append(level_ids)
        n_nodes += len(level_ids)
    parent = np.concatenate(parents)
    n_children = np.bincount(parent[1:], minlength=n_nodes)
    first_child = np.concatenate([[1], 1 + np.cumsum(n_children)[:-1]])
    return _Nodes(np.concatenate(labels), np.concatenate(ids), first_child, n_children)


def _place(nodes: _Nodes) -> tuple[_IntArray, _IntArray]:
    """Return the slot of each node, and the first slot of each node's children."""
    n_nodes = len(nodes.labels)
    slots = np.zeros(n_nodes, np.int64)
    first_slots = np.zeros(n_nodes, np.int64)
    several = np.flatnonzero(nodes.n_children > 1)
    starts = nodes.first_child[several]
    families = [
        nodes.labels[a : a + n].tolist()
        for a, n in zip(starts.tolist(), nodes.n_children[several].tolist(), strict=True)
    ]
    first_slots[several] = _place_families(families)
    for node, labels in zip(several.tolist(), families, strict=True):
        first = int(nodes.first_child[node])
        slots[first : first + len(labels)] = first_slots[node] + labels
    single = np.flatnonzero(nodes.n_children == 1)
    taken = np.zeros(int(slots.max()) + 1, bool)
    taken[slots] = True
    children = nodes.first_child[single]
    slots[children] = _place_only_children(nodes.labels[children], taken, first_slots[several])
    first_slots[single] = slots[children] - nodes.labels[children]
    return slots, first_slots


def _place_families(families: list[list[int]]) -> list[int]:
    """Return a first slot for each set of labels, such that no two children meet."""
    places: list[int] = []
    origin, free, unused = 1, (1 << _WINDOW) - 1, (1 << _WINDOW) - 1
    for labels in families:
        # Labels count from 1, so that no child of any first slot takes the root's slot 0.
        while True:
            fits = unused
            for label in labels:
                fits &= free >> label
            if fits:
                break
            # The window is full for this family: move on by a quarter, which stays partly empty
            # for only children.
            step = _WINDOW // 4
            origin += step
            free = free >> step | ((1 << step) - 1) << (_WINDOW - step)
            unused = unused >> step | ((1 << step) - 1) << (_WINDOW - step)
        place = (fits & -fits).bit_length() - 1
        unused &= ~(1 << place)
        for label in labels:
            free &= ~(1 << place + label)
        places.append(origin + place)
    return places


def _place_only_children(labels: _IntArray, taken: Any, used_firsts: _IntArray) -> _IntArray:
    """Return a slot for each only child, whose first slots (slot - label) are all different."""
    # Free slots are dealt out in ascending order to children of descending labels, so that first
    # slots ascend; those that meet another's are dealt again, at the end beyond all the others.
    slots = np.zeros(len(labels), np.int64)
    pending = np.argsort(-labels, kind="stable")
    free = np.flatnonzero(~taken)
    start = max(len(taken), 1)
    used = np.zeros(max(start, int(used_firsts.max(initial=0)) + 1), bool)
    used[used_firsts] = True
    while len(pending):
        # Enough slots for all, the last of which lie beyond every slot in use.
        offered = np.concatenate([free, np.arange(start, start + len(pending) + 256)])
        # A first slot of 0 or less would lead back to the root or before the array.
        chosen = offered[offered > 256][: len(pending)]
        firsts = chosen - labels[pending]
        used = np.append(used, np.zeros(max(0, int(chosen.max()) + 1 - len(used)), bool))
        good = ~used[firsts]
        slots[pending[good]] = chosen[good]
        used[firsts[good]] = True
        free = np.empty(0, np.int64)
        start = max(start, int(chosen.max()) + 1) + 256
        pending = pending[~good]
    return slots
