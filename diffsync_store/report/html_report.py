"""A saved diff as a single HTML file, without scripts and without anything from another host."""

from collections.abc import Iterator
from html import escape
from itertools import islice

from diffsync_store.diffs import SavedDiff
from diffsync_store.operation import Operation
from diffsync_store.report.facts import ACTIONS, facts_of, shown, title_of
from diffsync_store.report.values import Piece, rows_of

_STYLE = """
:root{color-scheme:light dark;--line:#c8ced6;--old:#ffe1de;--new:#d6f3df;--quiet:#5a6474}
@media(prefers-color-scheme:dark){:root{--line:#3a424e;--old:#5b2723;--new:#1e4a2e;--quiet:#9aa5b5}}
body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:1rem auto;padding:0 1rem;overflow-wrap:anywhere}
h1{font-size:1.4rem}h2{font-size:1rem;margin:.9rem 0 .2rem}small,th{color:var(--quiet);font-weight:400}
table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.15rem .8rem .15rem 0}
.number{text-align:right;font-variant-numeric:tabular-nums}
.changes{width:100%;table-layout:fixed}.changes th{width:22%}
section{border-top:1px solid var(--line)}pre{margin:0;white-space:pre-wrap;font:.87rem/1.4 ui-monospace,monospace}
mark{color:inherit}.old mark{background:var(--old);text-decoration:line-through}.new mark{background:var(--new)}
"""


def html_report(saved: SavedDiff, limit: int) -> Iterator[str]:
    """Yield the document in pieces.

    Args:
        saved: the diff.
        limit: maximum number of operations; the rest is counted.
    """
    record, title = saved.record, title_of(saved)
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}: {_text(record.diff_id)}</title><style>{_STYLE}</style></head><body>\n<h1>{_text(title)}</h1>\n"
    )
    yield from (f"<p>{_text(fact)}</p>\n" for fact in facts_of(saved))
    yield from _totals(record.by_model)
    for operation in islice(saved.operations(), limit):
        yield from _operation(operation)
    if record.operations > limit:
        more = record.operations - limit
        yield f"<p>{more:,} more operations are not in this report. See all: <code>diffsync-store changes {_text(record.diff_id)}</code></p>\n"
    yield "</body></html>\n"


def _totals(by_model: dict[str, dict[str, int]]) -> Iterator[str]:
    heads = "".join(f'<th class="number">{action}</th>' for action in ACTIONS)
    yield f"<table><tr><th>model</th>{heads}</tr>\n"
    for model, numbers in by_model.items():
        cells = "".join(f'<td class="number">{numbers.get(action, 0):,}</td>' for action in ACTIONS)
        yield f"<tr><td>{_text(model)}</td>{cells}</tr>\n"
    yield "</table>\n"


def _operation(operation: Operation) -> Iterator[str]:
    redacted = operation.redacted()
    above = ", ".join(f"{model} {name}" for model, name in operation.parents)
    place = f" <small>in {_text(above)}</small>" if above else ""
    name = _text(redacted.unique_id or redacted.name)
    yield f"<section><h2>{operation.action} {_text(operation.model)} {name}{place}</h2>\n"
    rows = list(rows_of(operation))
    if rows:
        yield '<table class="changes">\n'
        for row in rows:
            old, new = _pieces(row.old), _pieces(row.new)
            yield f'<tr><th scope="row">{_text(row.attribute)}</th><td class="old">{old}</td><td class="new">{new}</td></tr>\n'
        yield "</table>\n"
    yield "</section>\n"


def _pieces(pieces: list[Piece] | None) -> str:
    if pieces is None:
        return "&ndash;"
    texts = (f"<mark>{escape(each.text)}</mark>" if each.is_changed else escape(each.text) for each in pieces)
    return f"<pre>{''.join(texts)}</pre>"


def _text(text: str) -> str:
    return escape(shown(text))
