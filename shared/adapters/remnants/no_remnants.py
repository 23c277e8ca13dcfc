"""Nothing is left: services in Azure keep no files of ours."""


class NoRemnants:
    async def remove_mails(self, address: str) -> None:
        """There are none."""

    async def overwrite_deleted(self) -> None:
        """There is nothing."""
