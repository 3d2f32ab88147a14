"""How many wrong passwords are taken."""

import threading
from collections import OrderedDict

from rag.server.limit import Limit

TRIES = 10
"""Wrong passwords a minute for one name from one address."""
ADDRESS_TRIES = 50
"""Of one address for all the names that have not signed in from it."""
NAME_TRIES = 100
"""For one name from all the addresses from which it has not signed in."""
_REMEMBERED = 10_000
_Taken = list[tuple[Limit, str]]


class Guesses:
    """Counts wrong passwords; threads share it.

    The rule: an address may send TRIES a minute for each name. Where a name has signed in from an address, or uses
    its session there, the address is known for it, and nothing that comes from elsewhere or for other names uses up
    those TRIES: wrong passwords from elsewhere do not lock a user out. Addresses that are strange to a name share
    ADDRESS_TRIES (one address, all names) and NAME_TRIES (one name, all addresses), which slow down whoever guesses
    with many of them. Where nothing is left the right password is refused as well, also one that was right a moment
    ago: what is let in would tell which one is right.
    """

    def __init__(self) -> None:
        self._pairs, self._addresses, self._names = (
            Limit(most, "wrong passwords") for most in (TRIES, ADDRESS_TRIES, NAME_TRIES)
        )
        self._moving = threading.Lock()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def check(self, address: str, name: str) -> None:
        """Raises OftenError where one more would be one too many."""
        for limit, key in self._counted(address, name):
            limit.check(key)

    def take(self, address: str, name: str) -> _Taken:
        """Count one as wrong until it is `right`. Raises OftenError where it would be one too many."""
        counted = self._counted(address, name)
        with self._moving:
            for limit, key in counted:
                limit.check(key)
            for limit, key in counted:
                limit.take(key)
        return counted

    def right(self, taken: _Taken) -> None:
        """What `take` counted was no wrong password."""
        for limit, key in taken:
            limit.give_back(key)

    def knows(self, address: str, name: str) -> bool:
        """Whether the address is known for the name."""
        return (address, name) in self._known

    def know(self, address: str, name: str) -> None:
        """The name has signed in from the address; of many the longest unseen are forgotten."""
        with self._moving:
            self._known[address, name] = None
            self._known.move_to_end((address, name))
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _counted(self, address: str, name: str) -> _Taken:
        pair = self._pairs, f"{address} {name}"
        return [pair] if self.knows(address, name) else [pair, (self._addresses, address), (self._names, name)]
