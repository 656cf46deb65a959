"""The shop that the `electro-isla` story stands on: products, orders, users, and pages that are
computed from them. Staff alone may see the statistics.

A bearer token names who asks: `staff-…` is staff, anything else a customer. No answer says
anything about caching, as the real system's did not.
"""

import base


class ElectroIsla(base.System):
    """A shop of a few products."""

    def __init__(self):
        super().__init__()
        self.products = {
            number: {"id": number, "nombre": f"producto {number}", "precio": 10 * number,
                     "vendidos": 100 - number}
            for number in range(1, 26)
        }
        self.orders = {}
        self.users = {1: {"id": 1, "nombre": "ana", "rol": "cliente"}}
        self.methods = {"tarjeta": 3, "efectivo": 1}
        self.profiles = {}

    # --- who asks --------------------------------------------------------------------------------

    def caller(self, request):
        token = request.bearer()
        if token is None:
            raise base.Refusal(401, "sign in first")
        return token

    def staff(self, request):
        token = self.caller(request)
        if not token.startswith("staff-"):
            raise base.Refusal(403, "for staff only")
        return token

    # --- reading ---------------------------------------------------------------------------------

    def on_GET(self, request):
        pages = {
            "/api/productos/": self.list_products,
            "/api/productos/mas-vendidos/": self.best_sellers,
            "/api/metodos-pago/": self.payment_methods,
            "/api/admin/estadisticas/ventas/": self.sales,
            "/api/admin/estadisticas/usuarios/": self.user_numbers,
            "/api/perfil/": self.profile,
        }
        if request.path in pages:
            return 200, pages[request.path](request)
        if request.parts[:2] == ["api", "productos"] and len(request.parts) == 3:
            return 200, self.find(self.products, request.parts[2])
        raise base.Refusal(404, "path")

    on_HEAD = on_GET

    def list_products(self, request):
        page = int(request.query.get("page", 1))
        wanted = request.query.get("q", "")
        found = [one for one in self.products.values() if wanted in one["nombre"]]
        return {"count": len(found), "page": page, "results": found[10 * (page - 1):10 * page]}

    def best_sellers(self, _):
        best = sorted(self.products.values(), key=lambda one: -one["vendidos"])
        return {"results": best[:10]}

    def payment_methods(self, _):
        return {"results": dict(self.methods)}

    def sales(self, request):
        staff = self.staff(request)
        total = sum(order["total"] for order in self.orders.values())
        return {"pedidos": len(self.orders), "total": total, "productos": len(self.products),
                "entregados": sum(one["estado"] == "entregado" for one in self.orders.values()),
                "precios": sum(one["precio"] for one in self.products.values()), "para": staff}

    def user_numbers(self, request):
        staff = self.staff(request)
        roles = {}
        for user in self.users.values():
            roles[user["rol"]] = roles.get(user["rol"], 0) + 1
        return {"usuarios": len(self.users), "por_rol": roles, "para": staff}

    def profile(self, request):
        caller = self.caller(request)
        return self.profiles.get(caller, {"usuario": caller, "direccion": "ninguna"})

    def find(self, table, number):
        if not number.isdigit() or int(number) not in table:
            raise base.Refusal(404, "nothing there")
        return table[int(number)]

    # --- writing ---------------------------------------------------------------------------------

    def on_POST(self, request):
        parts = request.parts
        if parts == ["api", "productos"]:
            self.staff(request)
            return self.add(self.products, {"precio": 1, "vendidos": 0, **request.json()}, "nombre")
        if parts == ["api", "pedidos"]:
            self.caller(request)
            status, order = self.add(
                self.orders, {"estado": "nuevo", "total": 0, **request.json()}, "producto")
            method = order.get("metodo", "tarjeta")
            self.methods[method] = self.methods.get(method, 0) + 1
            return status, order
        if parts[:2] == ["api", "pedidos"] and parts[3:] == ["estado"]:
            self.staff(request)
            order = self.find(self.orders, parts[2])
            order["estado"] = request.json().get("estado", "nuevo")
            return 200, order
        if parts == ["api", "usuarios"]:
            return self.add(self.users, {"rol": "cliente", **request.json()}, "nombre")
        raise base.Refusal(404, "path")

    def add(self, table, thing, wanted):
        if wanted not in thing:
            raise base.Refusal(422, f"{wanted} is wanted")
        number = max(table, default=0) + 1
        table[number] = {**thing, "id": number}
        return 201, table[number]

    def on_PUT(self, request):
        parts = request.parts
        if parts == ["api", "perfil"]:
            caller = self.caller(request)
            self.profiles[caller] = {"usuario": caller, **request.json()}
            return 200, self.profiles[caller]
        tables = {"productos": self.products, "pedidos": self.orders, "usuarios": self.users}
        if len(parts) != 3 or parts[0] != "api" or parts[1] not in tables:
            raise base.Refusal(404, "path")
        self.staff(request)
        thing = self.find(tables[parts[1]], parts[2])
        thing.update({**request.json(), "id": thing["id"]})
        return 200, thing

    on_PATCH = on_PUT

    def on_DELETE(self, request):
        parts = request.parts
        if len(parts) != 3 or parts[:2] != ["api", "productos"]:
            raise base.Refusal(404, "path")
        self.staff(request)
        del self.products[self.find(self.products, parts[2])["id"]]
        return 204, None


if __name__ == "__main__":
    base.serve(ElectroIsla())
