"""Nothing is left: services in Azure keep no files of ours."""


class NoRemnants:
    async def clear(self, address: str) -> None:
        """There is nothing."""
