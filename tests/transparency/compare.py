"""An answer as a client saw it, and what two answers differ in.

What the proxy may change is listed here and nowhere else: the fields of its own hop, and the fields
of the request that an echoing origin shows in its body. Everything else must be the same bytes.
"""

import dataclasses
import email.utils
import json
import re
import subprocess

import processes

# Fields that speak of one hop, or that the proxy adds. Date is compared by value.
HOP_FIELDS = {"connection", "keep-alive", "via", "cache-status", "age", "date"}
# What the origin sees because the request came through the proxy, or of the first hop alone.
ECHOED_FIELDS = {
    "via", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip",
    "connection", "keep-alive", "expect", "te",
}
# What an answer 304 must tell, because it would have been in the 200 (RFC 9110, 15.4.5).
IN_EVERY_304 = {"cache-control", "content-location", "etag", "expires", "vary"}
DATE_DRIFT_SECONDS_MAX = 5


@dataclasses.dataclass
class Answer:
    """A status line, the field lines in order, and the bytes of the body."""

    status: int
    reason: str
    fields: list
    body: bytes
    note: str = ""

    def all(self, name):
        """Every value of a field, in order."""
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name):
        """The values of a field as one, or None."""
        values = self.all(name)
        return ", ".join(values) if values else None

    def cache_says(self):
        """What cistern says of the answer, without what caches before it said."""
        return (self.get("cache-status") or "").rsplit("cistern", 1)[-1]

    def is_hit(self):
        """Whether the proxy says that it answered from its store."""
        return re.match(r"\s*;\s*hit\b", self.cache_says()) is not None

    def is_stored(self):
        """Whether the proxy says that it put the origin's answer into its store."""
        return re.search(r";\s*stored\b", self.cache_says()) is not None

    def is_validated(self):
        """Whether the origin said that what is stored still holds."""
        return "fwd-status=304" in self.cache_says()


def parse_heads(text):
    """The last head of a dump of heads (there may be interim and redirect ones before it)."""
    blocks = [block for block in re.split(r"\r?\n\r?\n", text) if block.strip()]
    lines = re.split(r"\r?\n", blocks[-1])
    version, _, rest = lines[0].partition(" ")
    status, _, reason = rest.partition(" ")
    fields = []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields.append((name, value.strip()))
    return version, int(status), reason, fields


def curl(address, path, *arguments, stdin=None):
    """Asks with curl, raw bytes as they came; `arguments` are curl's own."""
    head = processes.work_dir() / "curl.head"
    body = processes.work_dir() / "curl.body"
    for file in (head, body):
        file.unlink(missing_ok=True)
    command = ["curl", "--silent", "--show-error", "--max-time", "60", "--path-as-is", "--globoff"]
    command += ["--header", "Host: api.example", "--dump-header", str(head), "--output", str(body)]
    command += [*arguments, f"http://{address}{path}"]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=90)
    if not head.exists() or not head.stat().st_size:
        raise AssertionError(f"curl {path}: code {done.returncode}: {done.stderr.decode()}")
    _, status, reason, fields = parse_heads(head.read_bytes().decode("latin-1"))
    # With --head curl writes the head again where the body would be; it may not have a body.
    content = body.read_bytes() if body.exists() and "--head" not in arguments else b""
    note = f"curl code {done.returncode}"
    return Answer(status, reason, fields, content, note)


def from_requests(response):
    """The same of an answer of Python requests; the body as it came, coding untouched if asked."""
    fields = list(response.raw.headers.items())
    return Answer(response.status_code, response.reason, fields, response.content)


def differences(direct, proxied, echo=False, ignore=(), reason=True):
    """Everything in which the proxied answer is not the direct one, as lines to read.

    `echo`: the body is JSON that repeats the request. `ignore`: fields that differ by themselves
    from one request to the next, such as a nonce. `reason`: whether the words beside the status
    count; they do not when the answer came from the store, which keeps none.
    """
    words = []
    if direct.status != proxied.status:
        words.append(f"status {direct.status} became {proxied.status}")
    if reason and direct.reason != proxied.reason:
        words.append(f"reason {direct.reason!r} became {proxied.reason!r}")
    if direct.note != proxied.note:
        words.append(f"{direct.note} became {proxied.note}")
    skipped = HOP_FIELDS | {name.lower() for name in ignore} | {"content-length"}
    skipped |= _renewed(direct, proxied)
    words += _field_differences(direct, proxied, skipped)
    words += _framing_differences(direct, proxied, echo)
    words += _date_differences(direct, proxied)
    before, after = direct.body, proxied.body
    if echo:
        before, after = echoed(before), echoed(after)
    if before != after:
        words.append(f"body {_short(before)} became {_short(after)}")
    return words


def echoed(body):
    """A body that repeats the request, without what the hop itself put there."""
    try:
        told = json.loads(body)
    except ValueError:
        return body
    if isinstance(told.get("headers"), dict):
        told["headers"] = {
            name: value
            for name, value in told["headers"].items()
            if name.lower() not in ECHOED_FIELDS
        }
    return told


def _renewed(direct, proxied):
    """Fields that are not the first answer's because the cache did as RFC 9111 says."""
    skipped = set()
    own = proxied.is_hit() or proxied.is_validated() or proxied.is_stored()
    if proxied.status == 304 and own:
        # A 304 of the cache's own has what a client needs to go on (RFC 9110, 15.4.5), no more.
        skipped |= {name.lower() for name, _ in direct.fields} - IN_EVERY_304
    if (proxied.status == 304 and own) or proxied.is_validated():
        # Origins often name fewer reasons to vary in a 304 than in the 200. One of the two is what
        # the cache must tell: the 200's, or the 304's once that has replaced it (RFC 9111, 3.2).
        before, after = (_members(answer.get("vary")) for answer in (direct, proxied))
        if after and (before <= after or before >= after):
            skipped.add("vary")
    return skipped


def _members(value):
    return {member.strip().lower() for member in (value or "").split(",") if member.strip()}


def _field_differences(direct, proxied, skipped):
    names = {name.lower() for name, _ in direct.fields + proxied.fields}
    words = []
    # What frames the body is judged with the body: a stored answer has a length where the origin's
    # had chunks.
    for name in sorted(names - skipped - {"transfer-encoding"}):
        before, after = direct.all(name), proxied.all(name)
        if before != after:
            words.append(f"field {name}: {before} became {after}")
    return words


def _framing_differences(direct, proxied, echo):
    before, after = direct.all("content-length"), proxied.all("content-length")
    if echo:
        # The lengths differ by what was echoed; both must still have been true, or curl complains.
        before, after = bool(before), bool(after)
    # A 204 may have no length, whatever its origin thought (RFC 9110, 8.6).
    if before and before != after and not (direct.status == 204 and not after):
        return [f"content-length {before} became {after}"]
    if proxied.all("content-length") and proxied.all("transfer-encoding"):
        return ["both a length and a transfer coding"]
    return []


def _date_differences(direct, proxied):
    dates = [answer.all("date") for answer in (direct, proxied)]
    if not dates[0]:
        return []
    if len(dates[1]) != 1:
        return [f"date {dates[0]} became {dates[1]}"]
    before, after = (email.utils.parsedate_to_datetime(date[0]) for date in dates)
    # A stored answer keeps the Date of when it was made.
    age = int(proxied.get("age") or 0)
    if abs((after - before).total_seconds()) > DATE_DRIFT_SECONDS_MAX + age:
        return [f"date {dates[0]} became {dates[1]}"]
    return []


def _short(value):
    text = repr(value)
    return text if len(text) < 600 else f"{text[:300]} … {text[-250:]} ({len(value)} bytes)"
