"""First answers: a repeated command has the answer of the first time, and a key goes with one request."""

from shared.domain.credits.commands import AnyCommand
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.errors import IdempotencyConflictError
from shared.ports.wallets import StoredWallet
from shared.services.credits.waiting import Waiting


def is_answered_before(waiting: Waiting, stored: StoredWallet) -> bool:
    """Answer a command that was done before, or whose key was used for something else."""
    transfer = stored.transactions.get(waiting.command.transaction_id)
    if transfer is None:
        return False
    try:
        waiting.answer(first_answer(waiting.command, transfer))
    except IdempotencyConflictError as error:
        waiting.fail(error)
    return True


def first_answer(command: AnyCommand, transfer: Transfer) -> Transfer:
    """The transfer under a command's key. Raises `IdempotencyConflictError` where it is of another request."""
    if (transfer.principal, transfer.request_hash) == (command.principal, command.request_hash):
        return transfer
    raise IdempotencyConflictError(
        "This Idempotency-Key was used for another request, or by another user or key; it goes with one route and "
        "body, and with who used it first"
    )
