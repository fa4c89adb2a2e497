"""Each problem of models, records, and the adapters of a sync has its line, column, key and a remedy. No system is contacted."""

import pytest

from diffsync_store.adapters import TYPE_NAMES
from tests.project.conftest import Problems

MODELS = """\
models:
  site: {identifiers: {name: str}}
  device:
    identifiers: {name: str}
    attributes: {site: str, units: int}
    references: {site: site}
"""
FILES = "{type: files, settings: {folder: x}, records"
ONE_MODEL = {
    "{identifiers: {x: strr}}": "2:21: models.a.identifiers.x.type: There is no type 'strr'. Did you mean 'str'? Use one of str, int",
    "{identifiers: {x: list}}": "2:21: models.a.identifiers.x.type: There is no type 'list'. Use one of str, int, ",
    "{identifiers: {x: {type: str, compare: ignore_cas}}}": "2:36: models.a.identifiers.x.compare: There is no comparison 'ignore_cas'. Did you mean 'ignore_case'? Use ",
    "{identifiers: {copy: str}}": "2:21: models.a.identifiers.copy: A field cannot be called 'copy': every model has a member ",
    "{identifiers: {a-b: str}}": "2:21: models.a.identifiers.a-b: 'a-b' cannot be the name of a field. Use letters, digits and `_`",
    "{identifiers: {x: str}, attributes: {x: str}}": "2:30: models.a.attributes: 'x' cannot be both an identifier and an attribute",
    "{identifiers: {}}": "2:7: models.a.identifiers: give at least 1",
    "{}": "2:3: models.a.identifiers: required key is missing",
    "{identifiers: {x: str}, attribute: {}}": "2:30: models.a.attribute: unknown key. Did you mean 'attributes'? Known keys: identifiers, ",
    "{identifiers: {x: str}, shortname: [y]}": "2:30: models.a.shortname: 'y' is not an identifier of the model",
    "{identifiers: {x: str}, children: [b]}": "2:41: models.a.children.0: Model 'a' has the child 'b', which is not declared.",
    "{identifiers: {x: str}, children: [a]}": "2:30: models.a.children: Models are below themselves: a → a. Use ",
    "{identifiers: {x: str}, references: {x: b}}": "2:43: models.a.references.x: It names the model 'b', which is not declared.",
    "{identifiers: {x: '${TYPE}'}}": "2:21: models.a.identifiers.x: ${TYPE} is not expanded here. Variables work only in ",
    "5": "2:3: models.a: expected a mapping with the keys identifiers, attributes, children, references, shortname; got 5",
}
ONE_MODEL |= {
    "{identifiers: {x: }}": "2:21: models.a.identifiers.x: expected a text, or a mapping with the keys type, compare, ",
    "{identifiers: {x: str}, children: b}": "2:30: models.a.children: Input should be a valid list; got 'b'",
    "{identifiers: {x: list[str]}}": (
        """2:28: invalid YAML: expected ',' or '}', but got '['. Put a text with brackets into quotes: {tags: "list[str]"}"""
    ),
}
MODELS_TOGETHER = {
    "  a: {identifiers: {x: str}, children: [b]}\n  b: {identifiers: {x: str}, children: [a]}\n": "2:30: models.a.children: Models are below themselves: a → b → a. Use `references` for one of them.",
    "  a: {identifiers: {x: str}, references: {x: b}}\n  b: {identifiers: {y: str}, references: {y: a}}\n": "2:43: models.a.references.x: Models refer to each other in a circle: a → b → a. Leave one reference out.",
    "  a: {identifiers: {x: str}, children: [c]}\n  b: {identifiers: {x: str}, children: [c]}\n  c: {identifiers: {x: str}}\n": "2:41: models.a.children.0: Model 'c' is a child of both 'a' and 'b'. Make it a child of one.",
    "  a: {identifiers: {x: str}}\n  b: {identifiers: {y: str}, references: {r: {model: a, fields: {x: z}}}}\n": "3:66: models.b.references.r.fields.x: 'b' has no field 'z'.",
    "  a-b: {identifiers: {x: str}}\n": "2:3: models.a-b: Model 'a-b': a name has letters, digits and `_`, and does not ",
    "  load: {identifiers: {x: str}}\nadapters: {f: {type: files, settings: {folder: x}, records: {load: {}}}}\n": "2:3: models.load: a model cannot be called 'load': an adapter has a member of this name. Rename the model.",
}
RECORDS = {
    "{devise: {}}": "8:53: adapters.f.records.devise: no model 'devise' is declared. Did you mean 'device'? Declared: site, device",
    "{}": "8:43: adapters.f.records: no records are declared. Declare where the records of each model are, such as {device: ",
    "{device: 5}": "8:53: adapters.f.records.device: expected a mapping with the keys from, ",
    "{device: {form: x}}": "8:62: adapters.f.records.device.form: unknown key. Did you mean 'from'? Known keys: from, ",
    "{device: {fields: {unit: x}}}": "8:71: adapters.f.records.device.fields.unit: the model 'device' has no field 'unit'. Did you mean 'units'? Its fields: ",
    "{device: {fields: {units: 'a[?'}}}": "8:71: adapters.f.records.device.fields.units.path: The path 'a[?' is neither plain",
    "{device: {fields: {units: {path: a, transforms: [strip, lowr]}}}}": "8:108: adapters.f.records.device.fields.units.transforms.1: There is no transform 'lowr'. Did you mean 'lower'?",
    "{device: {fields: {units: {path: a, transforms: {regex: {pattern: '('}}}}}}": "8:88: adapters.f.records.device.fields.units.transforms.0: `regex`: the pattern '(' cannot be read",
    "{device: {fields: {units: {path: a, write: 'b[0]'}}}}": "8:88: adapters.f.records.device.fields.units.write: The path 'b[0]' can be read only. Give a plain path",
    "{device: {references: {sit: x}}}": "8:75: adapters.f.records.device.references.sit: the model 'device' has no reference 'sit'. Did you mean 'site'?",
    "{device: {from: 'x[]'}}": "8:62: adapters.f.records.device.from: x[] is a list in the records of another model. Name ",
    "{device: {from: 'x[]', parent: site}}": "8:75: adapters.f.records.device.parent: no records of 'site' are declared. Declared: device",
    "{site: {}, device: {from: 'x[]', parent: site, fields: {units: $parent.nam}}}": "8:108: adapters.f.records.device.fields.units.path: the parent 'site' has no field 'nam'. Did you mean 'name'?",
    "{device: {fields: {units: $parent.name}}}": "8:71: adapters.f.records.device.fields.units.path: $parent.name needs a parent, but only records of a list ",
}
ADAPTERS = {
    "{type: fils}": "8:7: adapters.f.type: unknown type. Did you mean 'files'? Known types: files, python, sql, rest, ",
    "{type: files, class: 'a:B'}": "8:3: adapters.f: give either type, for a ready adapter, or class, for your own. Types: ",
    "{records: {site: {}}}": "8:3: adapters.f: give either type, for a ready adapter, or class, for your own. Types: ",
    "{class: 'tests.project.adapters:PlainAdapter', records: {site: {}}}": "8:53: adapters.f.records: PlainAdapter reads no declared records. Remove records, or derive the class from a ready ",
    "{class: 'diffsync_store.adapters.files:FilesAdapter', settings: {folder: x}}": "8:3: adapters.f.records: no records are declared.",
    "{type: files, settings: {folder: x, fromat: csv}, records: {site: {}}}": "8:42: adapters.f.settings.fromat: unknown key. Did you mean 'format'? Known keys: folder, format, ",
}
OF_ONE_TYPE = {
    "{type: files, settings: {folder: x}, records: {device: {fields: {units: $fil.stem}}}}": (
        "8:53: adapters.f.records.device: `records` of 'device': the path '$fil.stem' of 'units' is unknown: FilesAdapter adds "
    ),
    "{type: powerdns, settings: {url: 'http://x'}, records: {site: {from: sites}}}": (
        "8:62: adapters.f.records.site: `from: sites` of 'site': PowerDNS has `zones` and `rrsets`."
    ),
    "{type: python, settings: {module: json}, records: {site: {from: sites}}}": (
        "8:47: adapters.f.records: The module json has no function 'sites'. Correct `from: sites`."
    ),
    "{type: python, settings: {module: no_such}, records: {site: {}}}": (
        "8:50: adapters.f.records: `from: site`: there is no module 'no_such'. Correct the path, install its package, or add its "
        "folder to PYTHONPATH."
    ),
    "{type: sql, settings: {url: 'sqlit:///x'}, records: {site: {}}}": "8:29: adapters.f.settings.url: ",
}
SYNCS = {
    (
        "files, settings: {folder: x}, records: {site: {}}",
        "python, settings: {module: json}, records: {site: {from: loads}}",
    ): "10:24: syncs.s.target: the adapter t only reads, because of its type. Choose another target.",
    (
        "files, settings: {folder: x}, records: {site: {}}",
        "files, settings: {folder: x}, records: {device: {}}",
    ): "10:9: syncs.s: s and t have no model in common. Models of s: site. Models of t: device.",
    (
        "files, settings: {folder: x}, records: {site: {}}",
        "files, settings: {folder: x}, records: {site: {fields: {name: {map: {a: A, b: A}}}}}",
    ): "9:76: adapters.t.records.site.fields.name.map: a and b both become A, so it is unknown which one to write. ",
}
CASES = {
    **{f"models:\n  a: {model}": message for model, message in ONE_MODEL.items()},
    **{f"models:\n{models}": message for models, message in MODELS_TOGETHER.items()},
    **{f"{MODELS}adapters:\n  f: {FILES}: {records}}}": message for records, message in RECORDS.items()},
    **{f"{MODELS}adapters:\n  f: {adapter}": message for adapter, message in ADAPTERS.items()},
    **{f"{MODELS}adapters:\n  f: {adapter}": message for adapter, message in OF_ONE_TYPE.items()},
    **{
        f"{MODELS}adapters:\n  s: {{type: {source}}}\n  t: {{type: {target}}}\nsyncs: {{s: {{source: s, target: t}}}}": message
        for (source, target), message in SYNCS.items()
    },
}


@pytest.mark.parametrize("content", CASES)
def test_a_problem_has_its_place_and_a_remedy(problems: Problems, content: str) -> None:
    [found] = problems(content)
    assert found[: len(CASES[content])] == CASES[content]


def test_all_problems_of_a_file_are_reported_together(problems: Problems) -> None:
    content = """\
        models:
          site: {identifiers: {name: str}}
          device:
            identifiers: {name: str}
            attributes: {site: str}
            references: {site: site}
        adapters:
          files:
            type: files
            settings: {}
            records:
              site: {fields: {nam: x}}
              device: {fields: {site: "a["}}
          database:
            type: sql
            records: {sites: {}}
        """
    assert [line.split(": ")[:2] for line in problems(content)] == [
        ["10:5", "adapters.files.settings.folder"],
        ["12:23", "adapters.files.records.site.fields.nam"],
        ["13:25", "adapters.files.records.device.fields.site.path"],
        ["14:3", "adapters.database.settings.url"],
        ["16:15", "adapters.database.records.sites"],
    ]


def test_a_guard_may_name_a_model_of_either_adapter(problems: Problems) -> None:
    content = f"{MODELS}adapters:\n  s: {FILES}: {{site: {{}}, device: {{}}}}}}\n  t: {FILES}: {{site: {{}}}}}}\n"
    content += "syncs:\n  s: {source: s, target: t, guards: {completeness: {allow_empty: [device, devise]}}}\n"
    [found] = problems(content)
    message = "neither s nor t has a model 'devise'. Did you mean 'device'? Known models: device, site"
    assert found == f"11:53: syncs.s.guards.completeness.allow_empty: {message}"


@pytest.mark.parametrize("name", TYPE_NAMES)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    problems: Problems, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diffsync_store.adapters.registry.importlib.import_module", _without_package)
    [found, *_] = problems(f"{MODELS}adapters:\n  f: {{type: {name}}}")
    extra = "mapping" if name == "python" else name
    assert found == (
        f"8:7: adapters.f.type: The adapter type {name} needs the package some_package: pip install 'diffsync-store[{extra}]'"
    )


def _without_package(module: str) -> None:
    try:
        raise ModuleNotFoundError("No module named 'some_package'", name="some_package")
    except ImportError as error:
        raise ImportError("This adapter needs some packages") from error
