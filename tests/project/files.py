"""First lines of files."""

ADAPTERS = "tests.project.adapters"
PLAIN = f"{ADAPTERS}:PlainAdapter"
STORE = "store: {url: 'redis://127.0.0.1:1'}\n"
ADAPTER = f"{STORE}adapters:\n  a:\n    class: {PLAIN}\n"
PAIR = f"{STORE}adapters: {{a: {{class: '{PLAIN}'}}, b: {{class: '{PLAIN}'}}}}\nsyncs:\n  s:\n    source: a\n    target: b\n"
