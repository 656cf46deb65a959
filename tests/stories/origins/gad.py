"""The API that the `gad` story stands on: tasks that are handed to users, and statistics of each
user that are computed anew for every question.

A bearer token names who asks: `admin` may see everybody's numbers, `user-2` those of user 2 alone.
No answer says anything about caching, as the real system's did not.
"""

import base

DAYS = 30


class Gad(base.System):
    """Tasks and numbers."""

    def __init__(self):
        super().__init__()
        self.tasks = {}
        self.config = {"version": "1.0.0", "feature_flags": "none"}
        for user in (2, 3):
            for age in (1, 10, 40):
                self.add({"delegado_usuario_id": user, "estado": "completada", "dias": age})

    def add(self, task):
        number = max(self.tasks, default=0) + 1
        self.tasks[number] = {"id": number, "estado": "en_progreso", "dias": 0, **task}
        return self.tasks[number]

    # --- reading ---------------------------------------------------------------------------------

    def on_GET(self, request):
        parts = request.parts
        if parts[:2] != ["api", "v1"]:
            raise base.Refusal(404, "path")
        if parts[2:4] == ["stats", "user"] and len(parts) == 5:
            return self.stats(request, parts[4])
        if parts[2:3] == ["tareas"] and len(parts) == 3:
            self.caller(request)
            return 200, list(self.tasks.values())
        if parts[2:3] == ["tareas"] and len(parts) == 4:
            self.caller(request)
            return 200, self.task(parts[3])
        if parts[2:3] == ["config"] and len(parts) == 4:
            if parts[3] not in self.config:
                raise base.Refusal(404, "config")
            return 200, {"name": parts[3], "value": self.config[parts[3]]}
        raise base.Refusal(404, "path")

    on_HEAD = on_GET

    def stats(self, request, user):
        if not user.isdigit():
            raise base.Refusal(422, "user")
        user = int(user)
        caller = self.caller(request)
        if caller not in ("admin", f"user-{user}"):
            raise base.Refusal(403, "another user's numbers")
        days = int(request.query.get("days", DAYS))
        mine = [
            task
            for task in self.tasks.values()
            if task["delegado_usuario_id"] == user and task["dias"] <= days
        ]
        done = sum(task["estado"] == "completada" for task in mine)
        return 200, {
            "user_id": user,
            "period_days": days,
            "total_tareas": len(mine),
            "completadas": done,
            "en_progreso": len(mine) - done,
            "asked_by": caller,
        }

    def caller(self, request):
        token = request.bearer()
        if token is None:
            raise base.Refusal(401, "a bearer token is wanted")
        if token != "admin" and not token.startswith("user-"):
            raise base.Refusal(403, "unknown token")
        return token

    def task(self, number):
        if not number.isdigit() or int(number) not in self.tasks:
            raise base.Refusal(404, "task")
        return self.tasks[int(number)]

    # --- writing ---------------------------------------------------------------------------------

    def on_POST(self, request):
        self.caller(request)
        if request.parts != ["api", "v1", "tareas"]:
            raise base.Refusal(404, "path")
        task = request.json()
        if "delegado_usuario_id" not in task:
            raise base.Refusal(422, "delegado_usuario_id is wanted")
        return 201, self.add(task)

    def on_PUT(self, request):
        self.caller(request)
        if request.parts[:3] == ["api", "v1", "config"] and len(request.parts) == 4:
            self.config[request.parts[3]] = request.json().get("value")
            return 200, {"name": request.parts[3], "value": self.config[request.parts[3]]}
        if request.parts[:3] != ["api", "v1", "tareas"] or len(request.parts) != 4:
            raise base.Refusal(404, "path")
        task = self.task(request.parts[3])
        task.update({**request.json(), "id": task["id"]})
        return 200, task

    on_PATCH = on_PUT

    def on_DELETE(self, request):
        self.caller(request)
        if request.parts[:3] != ["api", "v1", "tareas"] or len(request.parts) != 4:
            raise base.Refusal(404, "path")
        del self.tasks[self.task(request.parts[3])["id"]]
        # Neither target nor answer says whose task it was.
        return 204, None


if __name__ == "__main__":
    base.serve(Gad())
