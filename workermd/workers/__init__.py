SHIPPED: dict[str, str] = {}
