"""json-server with and without rules: reads and writes tell the same as directly, and what was
written is what is read next, although reads are served from the store."""

import json
import unittest

import compare
import processes


class _Books(unittest.TestCase):
    """A json-server and a proxy of its own for each class, because the tests write."""

    rules = None

    @classmethod
    def setUpClass(cls):
        cls.origin = processes.JsonServer()
        cls.cistern = processes.Cistern(cls.origin.address, rules=cls.rules)

    @classmethod
    def tearDownClass(cls):
        cls.cistern.stop()
        cls.origin.stop()

    def get(self, path, *arguments):
        return compare.curl(self.cistern.address, path, *arguments)

    def directly(self, path, *arguments):
        return compare.curl(self.origin.address, path, *arguments)

    def send(self, method, path, value=None):
        arguments = ["--request", method]
        if value is not None:
            arguments += ["--header", "Content-Type: application/json", "--data", json.dumps(value)]
        return self.get(path, *arguments)

    def assert_same(self, path, *arguments):
        direct = self.directly(path, *arguments)
        for turn in ("first", "second"):
            with self.subTest(path=path, turn=turn):
                proxied = self.get(path, *arguments)
                reason = not proxied.is_hit()
                self.assertEqual(compare.differences(direct, proxied, reason=reason), [])

    def read(self, path):
        answer = self.get(path)
        self.assertEqual(answer.status, 200)
        return json.loads(answer.body)


READS = (
    "/posts", "/posts/1", "/posts/999", "/profile", "/comments?postId=3", "/db", "/",
    "/posts?author=typicode", "/posts?author=a%C3%B1o%20nuevo", "/posts?id=1&id=3",
    "/posts?views_gte=50&views_lte=90", "/posts?title_like=title%202", "/posts?q=nuevo",
    "/posts?_sort=views&_order=desc", "/posts?_sort=author,views&_order=asc,desc",
    "/posts?_page=1&_limit=5", "/posts?_page=2&_limit=5", "/posts?_page=5&_limit=5",
    "/posts?_start=3&_end=9", "/posts/1/comments", "/posts/1?_embed=comments",
    "/comments/2?_expand=post",
)


class JsonServerPlain(_Books):
    """No rules: everything is asked of the origin, or validated there."""

    def test_json_server_reads(self):
        for path in READS:
            self.assert_same(path)

    def test_json_server_conditions(self):
        etag = self.directly("/posts/2").get("etag")
        self.assert_same("/posts/2", "--header", f"If-None-Match: {etag}")
        self.assert_same("/posts/2", "--header", 'If-None-Match: "other"')

    def test_json_server_heads_and_options(self):
        self.assert_same("/posts", "--head")
        self.assert_same("/posts/1", "--request", "OPTIONS", "--header", "Origin: http://a.example",
                         "--header", "Access-Control-Request-Method: PUT")

    def test_json_server_pages_are_linked(self):
        answer = self.get("/posts?_page=2&_limit=5")
        self.assertEqual(answer.get("x-total-count"), "25")
        self.assertIn('rel="next"', answer.get("link"))
        self.assertEqual(answer.get("link"), self.directly("/posts?_page=2&_limit=5").get("link"))

    def test_json_server_writes_are_read(self):
        made = self.send("POST", "/comments", {"body": "new", "postId": 7})
        self.assertEqual(made.status, 201)
        where = f"/comments/{json.loads(made.body)['id']}"
        self.assertTrue(made.get("location").endswith(where))
        self.assertEqual(self.read(where)["body"], "new")
        self.assertEqual(self.send("PATCH", where, {"body": "patched"}).status, 200)
        self.assertEqual(self.read(where)["body"], "patched")
        self.assertEqual(self.send("DELETE", where).status, 200)
        self.assertEqual(self.get(where).status, 404)


class JsonServerRuled(_Books):
    """With rules: reads come from the store, and every write is seen by the next read."""

    rules = str(processes.HERE / "json_server.rules.toml")

    def assert_stored(self, path):
        """Reads twice; the second answer must be a hit."""
        first = self.get(path)
        second = self.get(path)
        self.assertTrue(second.is_hit(), f"{path}: {second.get('cache-status')}")
        self.assertEqual(first.body, second.body)
        return json.loads(second.body)

    def assert_fresh(self, path):
        """Reads once; it must come from the origin and be what the origin says."""
        answer = self.get(path)
        self.assertFalse(answer.is_hit(), f"{path}: {answer.get('cache-status')}")
        self.assertEqual(answer.body, self.directly(path).body)
        return json.loads(answer.body)

    def test_json_server_ruled_reads(self):
        for path in READS:
            self.assert_same(path)

    def test_json_server_ruled_put_shows(self):
        for path in ("/posts/4", "/posts/5", "/posts?id=4", "/posts"):
            self.assert_stored(path)
        self.assertEqual(self.send("PUT", "/posts/4", {"title": "put"}).status, 200)
        self.assertEqual(self.assert_fresh("/posts/4")["title"], "put")
        self.assertEqual(self.assert_fresh("/posts?id=4")[0]["title"], "put")
        self.assertIn("put", [post["title"] for post in self.assert_fresh("/posts")])
        self.assertTrue(self.get("/posts/5").is_hit(), "another post was dropped too")

    def test_json_server_ruled_post_shows(self):
        before = self.assert_stored("/posts")
        self.assert_stored("/posts?_page=1&_limit=5")
        made = self.send("POST", "/posts", {"title": "made"})
        self.assertEqual(made.status, 201)
        self.assertEqual(len(self.assert_fresh("/posts")), len(before) + 1)
        page = self.get("/posts?_page=1&_limit=5")
        self.assertEqual(page.get("x-total-count"), str(len(before) + 1))

    def test_json_server_ruled_delete_shows(self):
        made = json.loads(self.send("POST", "/posts", {"title": "to go"}).body)["id"]
        self.assert_stored(f"/posts/{made}")
        self.assertEqual(self.send("DELETE", f"/posts/{made}").status, 200)
        self.assertEqual(self.get(f"/posts/{made}").status, 404)
        self.assertNotIn(made, [post["id"] for post in self.read("/posts")])

    def test_json_server_ruled_failed_write_drops_nothing(self):
        self.assert_stored("/posts/9")
        self.assertEqual(self.send("PUT", "/posts/9999", {"title": "x"}).status, 404)
        self.assertTrue(self.get("/posts/9").is_hit())

    def test_json_server_ruled_many_rounds(self):
        for turn in range(30):
            self.assertEqual(self.send("PATCH", "/posts/11", {"views": turn}).status, 200)
            self.assertEqual(self.read("/posts/11")["views"], turn)
            self.assertEqual(self.read("/posts/11")["views"], turn)
            self.assertEqual(self.read("/posts?id=11")[0]["views"], turn)
