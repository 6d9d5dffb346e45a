"""Short names of ltau lead to their pages: `LTAUEstimator.fit`, wherever it is written."""

from sphinx.util.nodes import make_refnode


def resolve(app, env, node, contnode):
    """Find the one object of the library whose full name ends like the reference."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or (target == target.lower() and "." not in target):
        return None
    objects = env.domains.python_domain.objects
    found = [name for name in objects if name.endswith(f".{target}")]
    of_module = [name for name in found if name.startswith(f"{node.get('py:module')}.")]
    found = of_module or found
    if len({objects[name].docname for name in found}) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode)


def setup(app):
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
