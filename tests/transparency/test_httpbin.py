"""curl against httpbin: directly, through cistern, and through cistern again, when part of it may
come from the store. Three times the same answer."""

import dataclasses
import unittest

import compare
import httpbin_cases
import processes


class Httpbin(unittest.TestCase):
    """One test for each case of httpbin_cases."""

    @classmethod
    def setUpClass(cls):
        cls.origin = processes.shared(processes.Httpbin).address
        cls.proxy = processes.shared(processes.Cistern, cls.origin).address

    def play(self, case):
        """The same request three times; the direct answer is the measure."""
        direct = self.ask(self.origin, case)
        for turn in ("first", "second"):
            proxied = self.ask(self.proxy, case)
            with self.subTest(turn=turn):
                self.assertEqual(self.differ(case, direct, proxied), [])

    def ask(self, address, case):
        return compare.curl(address, case.path, *case.arguments, stdin=case.stdin)

    def differ(self, case, direct, proxied):
        if case.echo == "lines":
            direct, proxied = (self.without_echo(answer) for answer in (direct, proxied))
        elif case.body == "random":
            self.assertEqual(bool(direct.body), bool(proxied.body))
            direct, proxied = (self.without_body(answer) for answer in (direct, proxied))
        return compare.differences(
            direct,
            proxied,
            echo=case.echo == "json" and bool(direct.body),
            ignore=case.ignore,
            reason=not proxied.is_hit(),
        )

    def without_echo(self, answer):
        lines = [str(compare.echoed(line)) for line in answer.body.splitlines() if line]
        return dataclasses.replace(answer, body="\n".join(lines).encode())

    def without_body(self, answer):
        fields = [
            (name, value if name.lower() != "content-length" else "any")
            for name, value in answer.fields
        ]
        return dataclasses.replace(answer, body=b"", fields=fields)


def _add(case):
    def test(self):
        self.play(case)

    test.__doc__ = f"{' '.join(case.arguments[:4])} {case.path}"[:100]
    setattr(Httpbin, f"test_{case.name}", test)


for _case in httpbin_cases.ALL:
    assert not hasattr(Httpbin, f"test_{_case.name}"), f"two cases are called {_case.name}"
    _add(_case)


class Measure(unittest.TestCase):
    """The comparison itself must be able to see a difference."""

    def answer(self, **changed):
        fields = [("Date", "Fri, 20 Nov 2026 14:00:00 GMT"), ("X-A", "1"), ("X-A", "2")]
        whole = {"status": 200, "reason": "OK", "fields": fields, "body": b"{}"}
        return compare.Answer(**{**whole, **changed})

    def test_measure_equal(self):
        more = self.answer().fields + [("Via", "1.1 cistern"), ("Cache-Status", "cistern; hit")]
        self.assertEqual(compare.differences(self.answer(), self.answer(fields=more)), [])

    def test_measure_sees_every_difference(self):
        dated = ("Date", "Fri, 20 Nov 2026 14:00:00 GMT")
        for changed in (
            {"status": 201},
            {"reason": "Fine"},
            {"body": b"{ }"},
            {"note": "curl code 18"},
            {"fields": [dated, ("X-A", "2"), ("X-A", "1")]},
            {"fields": [dated, ("X-A", "1, 2")]},
            {"fields": [dated, ("X-A", "1")]},
            {"fields": [("X-A", "1"), ("X-A", "2")]},
            {"fields": [("Date", "Fri, 20 Nov 2026 14:01:00 GMT"), *self.answer().fields[1:]]},
            {"fields": [*self.answer().fields, ("Server", "cistern")]},
            {"fields": [*self.answer().fields, ("Content-Length", "2"),
                        ("Transfer-Encoding", "chunked")]},
        ):
            with self.subTest(changed=str(changed)):
                words = compare.differences(self.answer(), self.answer(**changed))
                self.assertEqual(len(words), 1, words)

    def test_measure_sees_a_changed_echo(self):
        before = self.answer(body=b'{"headers": {"Host": "a", "X": "1"}}')
        with_ours = self.answer(body=b'{"headers": {"Host": "a", "X": "1", "Via": "1.1 c"}}')
        other = self.answer(body=b'{"headers": {"Host": "b", "X": "1"}}')
        self.assertEqual(compare.differences(before, with_ours, echo=True), [])
        self.assertEqual(len(compare.differences(before, other, echo=True)), 1)

    def test_measure_allows_what_a_304_changes_and_no_more(self):
        tag, vary = ("ETag", '"1"'), ("Vary", "Origin, Accept-Encoding")
        direct = self.answer(status=304, body=b"", fields=[tag, vary, ("Pragma", "x")])
        mine = ("Cache-Status", "cistern; hit; ttl=3")
        whole = self.answer(status=304, body=b"", fields=[tag, vary, mine])
        self.assertEqual(compare.differences(direct, whole), [])
        poor = self.answer(status=304, body=b"", fields=[tag, mine])
        self.assertEqual(len(compare.differences(direct, poor)), 1)
        passed = self.answer(status=304, body=b"", fields=[tag, vary])
        self.assertEqual(len(compare.differences(direct, passed)), 1)

    def test_measure_knows_a_hit(self):
        for value, hit in {
            'cistern; hit; ttl=3; key="x"': True,
            "cistern; fwd=uri-miss; stored": False,
            'cistern; fwd=bypass; detail="; hit"': False,
            "other; hit, cistern; fwd=miss": False,
        }.items():
            answer = self.answer(fields=[("Cache-Status", value)])
            self.assertEqual(answer.is_hit(), hit, value)
