"""One-to-one matching of largest total weight between two sets, of which few pairs have a weight."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching


def maximum_weight_matching(
    rows: np.ndarray, columns: np.ndarray, weights: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Matches rows with columns one to one so that the sum of the weights is largest.

    Time and memory go with the number of pairs, not with the product of the sizes.

    Args:
        rows: row of every pair that may be matched, int [n]; no pair twice.
        columns: column of every pair, int [n].
        weights: weight of every pair, positive, [n].
        shape: number of rows and of columns.

    Returns:
        Indexes into the pairs, ascending, of those that are matched.
    """
    if not len(rows):
        return np.empty(0, dtype=np.int64)
    count, width = shape
    # The solver matches every row: a row may also take a column of its own, which weighs nothing. As it
    # takes a stored 0 for no pair, all weights are 1 higher; every full matching gains the same by that.
    own = np.arange(count)
    values = np.concatenate([weights + 1.0, np.ones(count)])
    places = (np.concatenate([rows, own]), np.concatenate([columns, width + own]))
    biadjacency = coo_array((values, places), shape=(count, width + count)).tocsr()
    matched_rows, matched_columns = min_weight_full_bipartite_matching(biadjacency, maximize=True)
    partner = np.full(count, -1, dtype=np.int64)
    partner[matched_rows] = matched_columns
    return np.flatnonzero(partner[rows] == columns)
