"""The API that the `fmgo` story stands on: tax documents, the states they are in, tokens of those
who issue them. Every answer is made anew, and no answer says anything about caching, as the real
system's did not; only `/probes`, which the stories ask, may be kept by anybody.
"""

import base


class Fmgo(base.System):
    """Documents by id; an id is `RUT-type-number`."""

    def __init__(self):
        super().__init__()
        self.documents = {}
        for rut in ("76123456", "76999999"):
            for number in (100, 101, 102):
                self.add(f"{rut}-33-{number}")

    def add(self, name):
        self.documents[name] = {
            "id": name,
            "xml": f"<DTE id='{name}'>" + "<Detalle/>" * 200 + "</DTE>",
            "estado": "pendiente",
            "track_id": f"T-{name}",
            "timestamps": {"emision": "2024-01-15"},
            "revision": 1,
        }
        return self.documents[name]

    def document(self, name):
        if name not in self.documents:
            raise base.Refusal(404, "no such document")
        return self.documents[name]

    def on_GET(self, request):
        parts = request.parts
        if parts[:1] == ["probes"]:
            return 200, {"path": request.path, "version": 1}, ("Cache-Control", "max-age=60")
        if parts[:1] == ["dte"] and len(parts) == 2:
            return 200, self.document(parts[1])
        if parts[:1] == ["dte"] and parts[2:] == ["estado"]:
            document = self.document(parts[1])
            return 200, {"estado": document["estado"], "detalles": "", "timestamp": "2024-01-15"}
        if parts[:1] == ["token"] and len(parts) == 2:
            return 200, {"token": f"clave-de-{parts[1]}", "expiry": 3600, "rut": parts[1]}
        raise base.Refusal(404, "path")

    on_HEAD = on_GET

    def on_POST(self, request):
        if request.parts != ["dte"]:
            raise base.Refusal(404, "path")
        rut = request.json().get("rut")
        if rut is None:
            raise base.Refusal(422, "rut is wanted")
        number = 100 + sum(name.startswith(f"{rut}-") for name in self.documents)
        return 201, self.add(f"{rut}-33-{number}")

    def on_PUT(self, request):
        parts = request.parts
        if parts[:1] != ["dte"] or parts[2:] not in ([], ["estado"]):
            raise base.Refusal(404, "path")
        document = self.document(parts[1])
        document.update({**request.json(), "id": document["id"]})
        document["revision"] += 1
        return 200, document

    on_PATCH = on_PUT

    def on_DELETE(self, request):
        if request.parts[:1] != ["dte"] or len(request.parts) != 2:
            raise base.Refusal(404, "path")
        del self.documents[self.document(request.parts[1])["id"]]
        return 204, None


if __name__ == "__main__":
    base.serve(Fmgo())
