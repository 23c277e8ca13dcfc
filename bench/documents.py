"""What printing costs: milliseconds and memory by lines, each size in a process of its own.

python -m bench.documents
"""

import multiprocessing
import resource
import sys
import time
from itertools import pairwise
from multiprocessing.connection import Connection

from tests.doubles.worlds.issued_documents import details, invoice, many_lines, printed

SIZES = (20, 500, 20_000)
_KIB = 1024


def measured(lines: int, sent: Connection) -> None:
    began = time.perf_counter()
    from shared.adapters.e_invoices.writer import embed, write_xml  # noqa: PLC0415  its import is measured
    from shared.adapters.typst.printer import print_document  # noqa: PLC0415
    from shared.domain.billing.e_invoices import of_invoice  # noqa: PLC0415

    made = many_lines(lines)
    document, (issued, with_tax) = printed(made), invoice(made)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _KIB
    first = time.perf_counter()
    pdf = print_document(document)
    second = time.perf_counter()
    print_document(document)
    third = time.perf_counter()
    e_invoice = of_invoice(issued, with_tax, details())
    xml = write_xml(e_invoice, "factur-x")
    fourth = time.perf_counter()
    hybrid = embed(pdf, xml, e_invoice, "Invoice")
    fifth = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _KIB
    took = [f"{(end - start) * 1000:,.0f} ms" for start, end in pairwise((began, first, second, third, fourth, fifth))]
    sent.send(
        f"{lines:>7,} lines: made in {took[0]}, PDF in {took[1]} at first, {took[2]} then, {len(pdf) // _KIB:,} KiB; "
        f"CII in {took[3]}, put in {took[4]}, {len(hybrid) // _KIB:,} KiB; {before} MiB before, peak {peak} MiB"
    )


def imports(sent: Connection) -> None:
    """How long each library takes, and how much memory."""
    for module in ("typst", "pypdf", "facturx"):
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        __import__(module)
        took = time.perf_counter() - began
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // _KIB
        sent.send(f"import {module}: {took * 1000:,.0f} ms, {grown} MiB")
    sent.send("")


def main(sizes: tuple[int, ...]) -> None:
    spawning = multiprocessing.get_context("spawn")
    received, sent = spawning.Pipe()
    process = spawning.Process(target=imports, args=(sent,))
    process.start()
    while said := received.recv():
        print(said)
    process.join()
    for size in sizes:
        process = spawning.Process(target=measured, args=(size, sent))
        process.start()
        print(received.recv())
        process.join()


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SIZES)
