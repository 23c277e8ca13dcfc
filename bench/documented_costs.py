"""What Cosmos DB's operations cost by its documentation, in request units (RU): doubles charge nothing that counts.

Source: https://learn.microsoft.com/azure/cosmos-db/understand-request-unit-consumption (April 2026), for one region and
session consistency. A batch costs the sum of its operations.
"""

from bench.store_requests import StoreRequest

READ_1_KB = 1.00
"""Also what reading a document that is not there costs. All documents here are smaller than 1 KB."""
WRITE_BY_KILOBYTES = ((1, 4.95), (2, 6.29), (4, 6.67), (8, 7.04), (16, 9.52), (32, 11.23), (64, 22.67))
"""Putting a document of that size there, or taking it away."""
INDEXED_TERM = 0.2
"""For each value, or pair of values, that an index takes in."""
REPLACEMENT = 2
"""The old document is taken away, the new one put there."""
QUERY = 3.0
"""A query beside the documents it finds. This one is assumed, on the high side for a query by ids in one partition: its
documentation has no figure.
"""

_QUERIES = ("get_many", "query", "due")


def estimated_units(request: StoreRequest) -> float:
    """On the high side: an upsert counts as a replacement, and every indexed term of a replacement as a new one."""
    if request.writes:
        count = request.writes.total()
        replaced = request.writes["replace"] + request.writes["upsert"]
        per_write = _write(request.bytes / count)
        return per_write * (count + replaced * (REPLACEMENT - 1)) + INDEXED_TERM * request.indexed_terms
    if request.purpose in _QUERIES:
        return QUERY * request.requests + READ_1_KB * request.documents
    return READ_1_KB * request.requests


def _write(size: float) -> float:
    return next(units for kilobytes, units in WRITE_BY_KILOBYTES if size <= kilobytes * 1024)
