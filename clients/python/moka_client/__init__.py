"""A client of Moka's submission service.

Every call of submission is idempotent, so each is repeated after a broken connection, a passed
deadline, or an answer that says to come back later. `Client.stub` is the generated stub, for
everything that is not wrapped here; the messages are in `moka.submission.v1`.
"""

from ._client import Client, Expired, final

__all__ = ["Client", "Expired", "final"]
