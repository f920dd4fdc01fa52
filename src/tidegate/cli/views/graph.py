"""Pictures of a pipeline: a tree for the terminal, Mermaid for Markdown, dot for Graphviz."""

from __future__ import annotations

from tidegate.cli.picture import Node, walk
from tidegate.cli.terminal import Terminal, cells, fit, printable

_MARKS = {"loop": "↻ ", "condition": "? ", "dag": "▣ ", "task": ""}


def tree(root: Node, to: Terminal) -> list[str]:
    """One line a task: its place, and `← ` the tasks that it needs."""
    lines = [to.paint(printable(root.name), "bold")]
    stack = [(child, "", number == 0) for number, child in enumerate(reversed(root.children))]
    while stack:
        node, indent, last = stack.pop()
        lines.append(_line(node, f"{indent}{'└─ ' if last else '├─ '}", to))
        below = f"{indent}{'   ' if last else '│  '}"
        stack += [(child, below, number == 0) for number, child in enumerate(reversed(node.children))]
    return lines


def _line(node: Node, stem: str, to: Terminal) -> str:
    head = f"{_MARKS[node.kind]}{printable(node.name)}"
    needs = f"← {', '.join(map(printable, node.after))}" if node.after else ""
    rest = "  ".join(part for part in (printable(node.note), needs) if part)
    if to.width:
        rest = fit(rest, max(0, to.width - cells(stem) - cells(head) - 2))
    painted = to.paint(head, "" if node.kind == "task" else "cyan")
    return f"{stem}{painted}  {to.paint(rest, 'dim')}".rstrip()


def mermaid(root: Node) -> list[str]:
    """A flowchart that GitHub, GitLab and most Markdown viewers draw."""
    ids = _ids(root)
    lines = ["flowchart TD"]

    def body(node: Node, path: str, indent: str) -> None:
        for child in node.children:
            at = f"{path}/{child.name}" if path else child.name
            label = _quoted(_label(child))
            if child.children:
                lines.append(f'{indent}subgraph {ids[at]}["{label}"]')
                body(child, at, indent + "  ")
                lines.append(f"{indent}end")
            else:
                lines.append(f'{indent}{ids[at]}["{label}"]')
        for child in node.children:
            at = f"{path}/{child.name}" if path else child.name
            lines.extend(f"{indent}{ids[_beside(at, name)]} --> {ids[at]}" for name in child.after)

    body(root, "", "  ")
    return lines


def dot(root: Node) -> list[str]:
    """For `dot -Tpng`; nested DAGs are clusters."""
    ids = _ids(root)
    lines = [
        "digraph pipeline {",
        f'  label="{_escaped(root.name)}"; compound=true; rankdir=TB; fontname="sans-serif";',
        '  node [shape=box, style=rounded, fontname="sans-serif"];',
    ]

    def inner(path: str, node: Node) -> str:
        """A task inside of `node`: dot's edges run between tasks, and are clipped at the clusters' borders."""
        return inner(f"{path}/{node.children[0].name}", node.children[0]) if node.children else ids[path]

    def body(node: Node, path: str, indent: str) -> None:
        for child in node.children:
            at = f"{path}/{child.name}" if path else child.name
            if child.children:
                lines.append(f'{indent}subgraph cluster_{ids[at]} {{ label="{_escaped(_label(child))}"; style=rounded;')
                body(child, at, indent + "  ")
                lines.append(f"{indent}}}")
            else:
                lines.append(f'{indent}{ids[at]} [label="{_escaped(_label(child))}"];')
        siblings = {child.name: child for child in node.children}
        for child in node.children:
            at = f"{path}/{child.name}" if path else child.name
            for name in child.after:
                before = _beside(at, name)
                clips = [f"ltail=cluster_{ids[before]}"] if siblings[name].children else []
                clips += [f"lhead=cluster_{ids[at]}"] if child.children else []
                attributes = f" [{', '.join(clips)}]" if clips else ""
                lines.append(f"{indent}{inner(before, siblings[name])} -> {inner(at, child)}{attributes};")

    body(root, "", "  ")
    return [*lines, "}"]


def _ids(root: Node) -> dict[str, str]:
    return {path: f"n{number}" for number, (path, _) in enumerate(walk(root))}


def _beside(path: str, name: str) -> str:
    parent, sign, _ = path.rpartition("/")
    return f"{parent}{sign}{name}"


def _label(node: Node) -> str:
    note = f"\n{node.note}" if node.note else ""
    return f"{_MARKS[node.kind]}{node.name}{note}"


def _quoted(text: str) -> str:
    """Mermaid's quoting: HTML entities inside double quotes."""
    for sign, entity in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;"), ("\n", "<br/>")):
        text = text.replace(sign, entity)
    return text


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
