"""A nats-server with the users of the contract."""

from __future__ import annotations

from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire import users


class Guarded(NatsServer):
    """Each may do what the contract lists; each password is the user's name."""

    def _configuration(self) -> dict[str, object]:
        permissions = [
            {"user": user.name, "password": user.name,
             "permissions": {"publish": list(user.publish), "subscribe": list(user.subscribe)}}
            for user in users.USERS
        ]  # fmt: skip
        return {**super()._configuration(), "authorization": {"users": permissions}}

    def url_of(self, user: str) -> str:
        """The address with that user's name and password."""
        return self.url.replace("nats://", f"nats://{user}:{user}@")
