"""The API that the `central-cache` story stands on: the configuration of agents, results of
queries, embeddings that are dear to compute. No answer says anything about caching; only `/probes`,
which the stories ask, may be kept by anybody.
"""

import hashlib

import base


class CentralCache(base.System):
    """Configuration by resource; everything else is computed from what is asked."""

    def __init__(self):
        super().__init__()
        self.config = {"limits": 100, "model": 7}

    def on_GET(self, request):
        parts = request.parts
        if parts[:1] == ["probes"]:
            return 200, {"path": request.path, "version": 1}, ("Cache-Control", "max-age=60")
        if len(parts) != 2:
            raise base.Refusal(404, "path")
        kind, name = parts
        if kind == "config":
            if name not in self.config:
                raise base.Refusal(404, "resource")
            agent = request.query.get("agent", "")
            return 200, {"resource": name, "agent": agent, "value": self.config[name]}
        if kind in ("query", "tokens", "system"):
            return 200, {"kind": kind, "name": name}
        raise base.Refusal(404, "path")

    on_HEAD = on_GET

    def on_POST(self, request):
        if request.parts != ["embeddings"]:
            raise base.Refusal(404, "path")
        text = request.json().get("text")
        if text is None:
            raise base.Refusal(422, "text is wanted")
        return 200, {"embedding": list(hashlib.sha256(text.encode()).digest()[:8])}

    def on_PUT(self, request):
        parts = request.parts
        if parts[:1] in (["collections"], ["documents"]) and len(parts) == 2:
            return 200, {"id": parts[1]}
        if parts[:1] != ["config"] or len(parts) != 2:
            raise base.Refusal(404, "path")
        self.config[parts[1]] = request.json().get("value")
        return 200, {"resource": parts[1], "value": self.config[parts[1]]}


if __name__ == "__main__":
    base.serve(CentralCache())
