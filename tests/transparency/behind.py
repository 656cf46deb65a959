"""A test with a scripted origin and a proxy in front of it."""

import unittest

import processes
import wire


class Behind(unittest.TestCase):
    """`self.start(script)` gives the address of a proxy before an origin that plays the script."""

    def start(self, script, rules=None, profile="safe", env=None):
        """Starts both; they are stopped when the test ends, and the proxy must end well."""
        origin = wire.Origin(script)
        self.origin = origin
        self.addCleanup(origin.close)
        self.cistern = processes.Cistern(origin.address, rules=rules, profile=profile, env=env)
        self.addCleanup(self.cistern.stop)
        return self.cistern.address

    def start_answering(self, answer, **named):
        """An origin that gives the same bytes to every request and notes what it was asked."""
        return self.start(lambda connection: self._give(connection, answer), **named)

    def _give(self, connection, answer):
        wire.answering(answer, self.origin.seen)(connection)

    def ask(self, address, request, method="GET"):
        """One request on a connection of its own."""
        with wire.client(address) as client:
            client.send(request)
            return client.answer(method)

    def assert_incomplete(self, client, method="GET"):
        """The answer must show that it is not whole, whatever of it came."""
        with self.assertRaises(wire.Incomplete):
            answer = client.answer(method)
            self.fail(f"taken for whole: {answer.first} and {len(answer.body)} bytes")
