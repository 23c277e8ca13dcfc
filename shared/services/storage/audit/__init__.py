"""The audit trail: an entry in the batch of every change of money, access or configuration, chained by a keyed hash."""
