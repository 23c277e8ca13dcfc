"""TXT records, asked of one name server or of the system's.

The library is imported at the first use: most processes need none of it.
"""

from typing import TYPE_CHECKING

from shared.domain.kernel.errors import UnavailableError

if TYPE_CHECKING:
    import dns.asyncresolver

_SECONDS = 5.0
_MOST = 50
_PORT = 53


class DnsTextRecords:
    def __init__(self, server: str | None) -> None:
        """`server` is an address, with a port after a colon where it is not 53; None for the system's."""
        self._server = server

    async def lookup(self, name: str) -> tuple[str, ...]:
        import dns.asyncresolver  # noqa: PLC0415  see above
        import dns.exception  # noqa: PLC0415  see above
        import dns.resolver  # noqa: PLC0415  see above

        resolver = self._resolver()
        try:
            answer = await resolver.resolve(name, "TXT", lifetime=_SECONDS)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except dns.exception.DNSException as error:
            raise UnavailableError("The name servers of the domain do not answer") from error
        return tuple(b"".join(record.strings).decode(errors="replace") for record in list(answer)[:_MOST])

    def _resolver(self) -> "dns.asyncresolver.Resolver":
        """A new one each time: it keeps nothing, so that a record that was added is seen at once."""
        import dns.asyncresolver  # noqa: PLC0415  see above

        if self._server is None:
            return dns.asyncresolver.Resolver()
        resolver = dns.asyncresolver.Resolver(configure=False)
        address, _, port = self._server.partition(":")
        resolver.nameservers = [address]
        resolver.port = int(port or _PORT)
        return resolver
