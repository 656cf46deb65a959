"""Python requests against httpbin, as programs use it: sessions, redirects, sign-in, uploads from a
generator, streams. Each story is played against the origin and through cistern, and tells the same.
"""

import io
import json
import unittest

import requests

import compare
import processes

HOST = {"Host": "api.example"}
TIMEOUT = 60


def told(response):
    """What counts of an answer, the echo of our own fields left out."""
    content = response.content
    body = compare.echoed(content) if content[:1] in (b"{", b"[") else content
    return {
        "status": response.status_code,
        "reason": response.reason,
        "type": response.headers.get("content-type"),
        "encoding": response.headers.get("content-encoding"),
        "location": response.headers.get("location"),
        "history": [step.status_code for step in response.history],
        "cookies": sorted(response.cookies.items()),
        "body": body,
    }


def cookies_over_redirects(http, base):
    http.get(f"{base}/cookies/set?a=1&b=two", timeout=TIMEOUT)
    kept = http.get(f"{base}/cookies", timeout=TIMEOUT)
    http.get(f"{base}/cookies/delete?a=", timeout=TIMEOUT)
    left = http.get(f"{base}/cookies", timeout=TIMEOUT)
    return [told(kept), told(left), sorted(http.cookies.items())]


def redirects(http, base):
    return [
        told(http.get(f"{base}/redirect/4", timeout=TIMEOUT)),
        told(http.get(f"{base}/relative-redirect/2", timeout=TIMEOUT)),
        told(http.post(f"{base}/redirect-to?url=/post&status_code=307", data="x", timeout=TIMEOUT)),
        told(http.get(f"{base}/redirect/1", allow_redirects=False, timeout=TIMEOUT)),
    ]


def sign_in(http, base):
    digest = requests.auth.HTTPDigestAuth("user", "pass")
    return [
        told(http.get(f"{base}/basic-auth/u/p", auth=("u", "p"), timeout=TIMEOUT)),
        told(http.get(f"{base}/basic-auth/u/p", auth=("u", "x"), timeout=TIMEOUT)),
        http.get(f"{base}/digest-auth/auth/user/pass", auth=digest, timeout=TIMEOUT).json(),
        told(http.get(f"{base}/bearer", headers={"Authorization": "Bearer t"}, timeout=TIMEOUT)),
    ]


def upload_from_a_generator(http, base):
    def pieces():
        for at in range(50):
            yield bytes([at]) * (at * 37 + 1)

    return [told(http.post(f"{base}/post", data=pieces(), timeout=TIMEOUT))]


def upload_files(http, base):
    # The boundary is drawn anew for each request, so only what it carried is compared.
    files = {"a": ("año.txt", io.BytesIO(b"text\r\n--not a boundary"), "text/plain"),
             "b": ("b.bin", io.BytesIO(bytes(range(256)) * 2000))}
    answer = http.post(f"{base}/post", files=files, data={"word": "ñ"}, timeout=TIMEOUT).json()
    return [answer["files"], answer["form"]]


def upload_a_lot(http, base):
    body = bytes(range(256)) * 40_000
    answer = http.put(f"{base}/put", data=body, timeout=TIMEOUT)
    got = answer.json()
    return [answer.status_code, len(got["data"]), got["headers"]["Content-Length"]]


def json_and_forms(http, base):
    pairs = [("a", "1"), ("a", "2"), ("b", "ñ &=")]
    return [
        told(http.post(f"{base}/post", json={"a": [1, None, "ñ"]}, timeout=TIMEOUT)),
        told(http.post(f"{base}/post", data=pairs, timeout=TIMEOUT)),
        told(http.get(f"{base}/get", params={"q": ["1", "2"], "ñ": "x y"}, timeout=TIMEOUT)),
        told(http.delete(f"{base}/delete", timeout=TIMEOUT)),
        told(http.patch(f"{base}/patch", json={}, timeout=TIMEOUT)),
    ]


def codings(http, base):
    return [
        told(http.get(f"{base}/gzip", timeout=TIMEOUT)),
        told(http.get(f"{base}/deflate", timeout=TIMEOUT)),
        told(http.get(f"{base}/brotli", headers={"Accept-Encoding": "br"}, timeout=TIMEOUT)),
    ]


def streams(http, base):
    with http.get(f"{base}/stream/15", stream=True, timeout=TIMEOUT) as response:
        lines = [compare.echoed(line) for line in response.iter_lines()]
    with http.get(f"{base}/stream-bytes/65536?seed=5", stream=True, timeout=TIMEOUT) as response:
        body = b"".join(response.iter_content(1000))
    with http.get(f"{base}/drip?numbytes=10&duration=1", stream=True, timeout=TIMEOUT) as response:
        drops = b"".join(response.iter_content(1))
    return [lines, body, drops]


def heads_and_options(http, base):
    head = http.head(f"{base}/image/jpeg", timeout=TIMEOUT)
    options = http.options(f"{base}/get", timeout=TIMEOUT)
    return [
        told(head), head.headers["content-length"],
        told(options), options.headers.get("allow"),
        sorted(name.lower() for name in options.headers if "access-control" in name.lower()),
    ]


def conditions_and_ranges(http, base):
    def get(path, **fields):
        return told(http.get(f"{base}{path}", headers=fields, timeout=TIMEOUT))

    return [
        get("/etag/x", **{"If-None-Match": '"x"'}),
        get("/etag/x", **{"If-None-Match": '"y"'}),
        get("/etag/x", **{"If-Match": '"y"'}),
        get("/range/2000", Range="bytes=100-199"),
        get("/range/2000", Range="bytes=-5"),
        get("/cache", **{"If-Modified-Since": "Sat, 01 Jan 2022 00:00:00 GMT"}),
    ]


def cached_for_a_minute(http, base):
    # A lifetime that nobody else asks for: the store is shared, and the body names who asked first.
    return [told(http.get(f"{base}/cache/59", timeout=TIMEOUT)) for _ in range(3)]


def one_connection_for_many(http, base):
    answers = []
    for at in range(40):
        answers.append(told(http.get(f"{base}/bytes/{at * 100}?seed={at}", timeout=TIMEOUT)))
        answers.append(told(http.post(f"{base}/post", data=str(at), timeout=TIMEOUT)))
        answers.append(told(http.get(f"{base}/status/204", timeout=TIMEOUT)))
    return answers


STORIES = (
    cookies_over_redirects, redirects, sign_in, upload_from_a_generator, upload_files, upload_a_lot,
    json_and_forms, codings, streams, heads_and_options, conditions_and_ranges,
    cached_for_a_minute, one_connection_for_many,
)


class Requests(unittest.TestCase):
    """Each story twice: told by the origin, and through the proxy."""

    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.origin = processes.shared(processes.Httpbin).address
        cls.proxy = processes.shared(processes.Cistern, cls.origin).address

    def play(self, story, address):
        with requests.Session() as http:
            http.trust_env = False
            http.headers.update(HOST)
            return story(http, f"http://{address}")

    def compare(self, story):
        direct = self.play(story, self.origin)
        proxied = self.play(story, self.proxy)
        self.assertEqual(len(direct), len(proxied))
        # The first step that differs tells most; those behind it may follow from it.
        for at, (before, after) in enumerate(zip(direct, proxied)):
            self.assertEqual(_readable(before), _readable(after), f"step {at}")


def _readable(value):
    if isinstance(value, bytes):
        return value
    return json.loads(json.dumps(value, default=repr))


def _add(story):
    def test(self):
        self.compare(story)

    setattr(Requests, f"test_requests_{story.__name__}", test)


for _story in STORIES:
    _add(_story)
