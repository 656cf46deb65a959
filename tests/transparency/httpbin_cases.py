"""What curl asks httpbin, family by family. Data only; test_httpbin.py plays it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Case:
    """One request. `echo`: "json" when the body repeats the request, "lines" when each line does.
    `ignore`: fields that differ by themselves. `body`: "random" when two bodies never agree."""

    name: str
    path: str
    arguments: tuple = ()
    echo: str = ""
    ignore: tuple = ()
    stdin: bytes = None
    body: str = ""


def case(name, path, *arguments, **named):
    return Case(name, path, arguments, **named)


def header(*lines):
    return tuple(part for line in lines for part in ("--header", line))


BOUNDARY = b"----a-boundary-of-our-own"
MULTIPART = b"\r\n".join([
    b"--" + BOUNDARY,
    b'Content-Disposition: form-data; name="word"', b"", "año".encode(),
    b"--" + BOUNDARY,
    b'Content-Disposition: form-data; name="file"; filename="a \xc3\xb1.bin"',
    b"Content-Type: application/octet-stream", b"", bytes(range(256)) * 40,
    b"--" + BOUNDARY + b"--", b"",
])
BINARY = bytes(range(256)) * 4096

METHODS = [
    case("get", "/get?a=1&b=2", echo="json"),
    case("post_form", "/post", "--data", "a=1&b=two", echo="json"),
    case("post_json", "/post", *header("Content-Type: application/json"), "--data",
         '{"a": [1, 2.5, null, "ñ"]}', echo="json"),
    case("post_empty", "/post", "--request", "POST", *header("Content-Length: 0"), echo="json"),
    case("put", "/put", "--request", "PUT", "--data-binary", "@-", stdin=b"x" * 5000, echo="json"),
    case("patch", "/patch", "--request", "PATCH", "--data", "p=1", echo="json"),
    case("delete", "/delete", "--request", "DELETE", echo="json"),
    case("delete_with_a_body", "/delete", "--request", "DELETE", "--data", "d=1", echo="json"),
    case("anything_put", "/anything/x", "--request", "PUT", "--data", "q", echo="json"),
    case("get_with_a_body", "/anything", "--request", "GET", "--data", "q=1", echo="json"),
    case("options", "/get", "--request", "OPTIONS"),
    case("trace", "/anything", "--request", "TRACE", echo="json"),
    case("wrong_method", "/get", "--request", "PUT", "--data", "x"),
    case("unknown_method", "/get", "--request", "PROPFIND"),
    case("head_bytes", "/bytes/1000?seed=1", "--head"),
    case("head_image", "/image/png", "--head"),
    case("head_status", "/status/404", "--head"),
    case("head_stream", "/stream-bytes/500?seed=2", "--head"),
]

STATUSES = [
    case(f"status_{code}", f"/status/{code}")
    for code in (
        200, 201, 202, 203, 204, 205, 206, 226, 299, 300, 301, 302, 303, 304, 305, 307, 308, 400,
        401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418,
        421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 506,
        507, 508, 510, 511, 599,
    )
] + [
    case("status_by_post", "/status/409", "--request", "POST", "--data", "x"),
    case("status_by_delete", "/status/204", "--request", "DELETE"),
    case("status_unknown", "/status/nothing"),
    case("missing", "/no/such/page"),
]

FIELDS = [
    case("headers", "/headers", *header("X-One: 1", "x-two: Two words"), echo="json"),
    case("headers_repeated", "/headers", *header("X-A: 1", "X-A: 2", "X-A: 3,4"), echo="json"),
    case("headers_empty", "/headers", "--header", "X-Empty;", echo="json"),
    case("headers_long", "/headers", *header("X-Long: " + "l" * 7000), echo="json"),
    case("headers_many", "/headers", *header(*(f"X-{n}: {n}" for n in range(60))), echo="json"),
    case("headers_not_ascii", "/headers", *header("X-U: a\u00f1o"), echo="json"),
    case("headers_without_agent", "/headers", *header("User-Agent:", "Accept:"), echo="json"),
    case("ip", "/ip", echo="json"),
    case("user_agent", "/user-agent", "--user-agent", "a browser/1.0 (of its own)", echo="json"),
    case("response_headers", "/response-headers?X-A=1&X-A=2&X-B=b%20c&Content-Language=es"),
    case("response_headers_by_post", "/response-headers?X-A=1", "--data", "x"),
    case("response_links", "/response-headers?Link=%3Ca%3E;rel=next&Link=%3Cb%3E;rel=prev"),
]

COOKIES = [
    case("cookies", "/cookies", *header("Cookie: a=1; b=two"), echo="json"),
    case("cookies_none", "/cookies", echo="json"),
    case("cookies_set", "/cookies/set?a=1&b=2&c=%C3%B1"),
    case("cookies_set_path", "/cookies/set/name/value"),
    case("cookies_delete", "/cookies/delete?a=&b="),
]

REDIRECTS = [
    case("redirect", "/redirect/3"),
    case("redirect_followed", "/redirect/3", "--location", echo="json"),
    case("redirect_relative", "/relative-redirect/2", "--location", echo="json"),
    case("redirect_absolute", "/absolute-redirect/2"),
    case("redirect_to", "/redirect-to?url=%2Fget%3Fa%3D1&status_code=307"),
    case("redirect_to_post", "/redirect-to?url=/post&status_code=307", "--location", "--data",
         "a=1", echo="json"),
    case("redirect_303", "/redirect-to?url=/get&status_code=303", "--location", "--data", "a=1",
         echo="json"),
]

AUTH = [
    case("basic_good", "/basic-auth/user/pass", "--user", "user:pass"),
    case("basic_bad", "/basic-auth/user/pass", "--user", "user:wrong"),
    case("basic_none", "/basic-auth/user/pass"),
    case("basic_hidden", "/hidden-basic-auth/user/pass", "--user", "user:pass"),
    case("basic_hidden_none", "/hidden-basic-auth/user/pass"),
    case("bearer", "/bearer", *header("Authorization: Bearer a.b-c")),
    case("bearer_none", "/bearer"),
    case("digest", "/digest-auth/auth/user/pass", "--digest", "--user", "user:pass",
         ignore=("www-authenticate", "set-cookie")),
    case("digest_sha256", "/digest-auth/auth/user/pass/SHA-256", "--digest", "--user", "user:pass",
         ignore=("www-authenticate", "set-cookie")),
    case("digest_bad", "/digest-auth/auth/user/pass", "--digest", "--user", "user:wrong",
         ignore=("www-authenticate", "set-cookie")),
]

FORMATS = [
    case("gzip", "/gzip", "--compressed", echo="json"),
    case("deflate", "/deflate", "--compressed", echo="json"),
    case("brotli", "/brotli", *header("Accept-Encoding: br"), body="random"),
    case("utf8", "/encoding/utf8"),
    case("html", "/html"),
    case("json", "/json"),
    case("xml", "/xml"),
    case("robots", "/robots.txt"),
    case("deny", "/deny"),
    case("forms", "/forms/post"),
    case("base64", "/base64/SFRUUEJJTiBpcyBhd2Vzb21l"),
    case("links", "/links/4/1"),
    case("links_start", "/links/4"),
    case("image_png", "/image/png"),
    case("image_jpeg", "/image/jpeg"),
    case("image_webp", "/image/webp"),
    case("image_svg", "/image/svg"),
    case("image_by_accept", "/image", *header("Accept: image/webp")),
    case("image_not_acceptable", "/image", *header("Accept: text/plain")),
    case("uuid", "/uuid", body="random"),
]

STREAMS = [
    case("stream", "/stream/20", echo="lines"),
    case("stream_bytes", "/stream-bytes/100000?seed=7&chunk_size=777"),
    case("stream_bytes_none", "/stream-bytes/0?seed=7"),
    case("drip", "/drip?numbytes=20&duration=1&delay=0"),
    case("drip_status", "/drip?numbytes=5&duration=0&delay=0&code=206"),
    case("delay", "/delay/1", echo="json"),
    case("bytes_none", "/bytes/0?seed=1"),
    case("bytes_one", "/bytes/1?seed=1"),
    case("bytes_64k", "/bytes/65536?seed=1"),
    case("bytes_100k", "/bytes/102400?seed=3"),
]

RANGES = [
    case("range_whole", "/range/1024"),
    case("range_first", "/range/1024", "--range", "0-99"),
    case("range_open", "/range/1024", "--range", "500-"),
    case("range_suffix", "/range/1024", "--range", "-100"),
    case("range_one_byte", "/range/1024", "--range", "1023-1023"),
    case("range_beyond", "/range/1024", "--range", "2000-3000"),
    case("range_turned", "/range/1024", "--range", "10-5"),
    case("range_odd_unit", "/range/1024", *header("Range: lines=1-2")),
    case("range_if_range", "/range/1024", *header('If-Range: "range1024"', "Range: bytes=0-9")),
    case("range_chunked", "/range/5000?chunk_size=500&duration=1"),
    case("range_on_bytes", "/bytes/1000?seed=4", "--range", "0-9"),
]

CACHING = [
    case("etag", "/etag/abc", echo="json"),
    case("etag_match", "/etag/abc", *header('If-None-Match: "abc"'), echo=""),
    case("etag_list", "/etag/abc", *header('If-None-Match: "x", W/"abc"'), echo=""),
    case("etag_other", "/etag/abc", *header('If-None-Match: "xyz"'), echo="json"),
    case("etag_if_match", "/etag/abc", *header('If-Match: "xyz"'), echo=""),
    case("etag_if_match_star", "/etag/abc", *header("If-Match: *"), echo="json"),
    case("cache", "/cache", echo="json", ignore=("etag", "last-modified")),
    case("cache_condition", "/cache", *header("If-Modified-Since: Sat, 01 Jan 2022 00:00:00 GMT"),
         ignore=("etag", "last-modified")),
    case("cache_60", "/cache/60", echo="json"),
    case("cache_0", "/cache/0", echo="json"),
]

UPLOADS = [
    case("upload_multipart", "/post", "--data-binary", "@-", *header(
        "Content-Type: multipart/form-data; boundary=" + BOUNDARY.decode()), stdin=MULTIPART,
        echo="json"),
    case("upload_binary", "/post", "--data-binary", "@-", *header(
        "Content-Type: application/octet-stream"), stdin=BINARY, echo="json"),
    case("upload_expect", "/post", "--data-binary", "@-", *header(
        "Content-Type: application/octet-stream", "Expect: 100-continue"), stdin=BINARY,
        echo="json"),
    case("upload_chunked", "/put", "--upload-file", "-", *header("Expect:"), stdin=BINARY,
         echo="json"),
    case("upload_chunked_expect", "/put", "--upload-file", "-", *header("Expect: 100-continue"),
         stdin=BINARY[:70000], echo="json"),
    case("upload_one_byte", "/post", "--data-binary", "@-", stdin=b"1", echo="json"),
]

TARGETS = [
    case(f"target_{name}", path, echo="json")
    for name, path in {
        "encoded_slash": "/anything/a%2Fb%20c%3F?x=%7e&y=~&z==&&w",
        "encoded_unicode": "/anything/%E2%9C%93?q=%C3%B1",
        "raw_unicode": "/anything/\u00f1and\u00fa?q=\u65e5\u672c",
        "double_slash": "/anything//double//slash?a//b",
        "dots": "/anything/./dot/../up/%2e%2e/x",
        "semicolons": "/anything/;p=1;q=2?;a;b=1;",
        "plus": "/get?q=a+b&r=a%2Bb&s=a%20b",
        "question_marks": "/get?a?b=/?&c=?",
        "repeated": "/get?a=1&a=2&a=&a",
        "empty_query": "/get?",
        "odd_characters": "/anything/a|b^c{d}\"e'f(g)*!$,@:&=+",
        "bad_escape": "/anything/100%?q=%zz%",
        "upper_and_lower": "/anything/%c3%B1?%c3%B1=%AA",
        "brackets": "/get?a[]=1&a[b]=2",
        "long": "/get?q=" + "x" * 3000,
    }.items()
]

ALL = (METHODS + STATUSES + FIELDS + COOKIES + REDIRECTS + AUTH + FORMATS + STREAMS + RANGES
       + CACHING + UPLOADS + TARGETS)
