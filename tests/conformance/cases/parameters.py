"""Python components and the values that pass between them."""

# ruff: noqa: UP014, UP006, UP035, UP045, B006 - what kfp reads

import json
from typing import Any, Dict, List, NamedTuple, Optional

from kfp import dsl

from tests.conformance.case import Case, document, text
from tests.conformance.components import add, component, say, seen


@dsl.pipeline
def chain() -> int:
    return add(a=add(a=1, b=2).output, b=3).output


def doubled(text: str) -> str:
    return text + text


@component(additional_funcs=[doubled])
def helped(text: str) -> str:
    return doubled(text)


@dsl.pipeline
def with_helpers() -> str:
    return helped(text="ab").output


@dsl.component(base_image="python:3.11", target_image="python:3.11-with-code")
def shout(text: str) -> str:
    return text.upper()


@dsl.pipeline
def containerised() -> str:
    return shout(text="from the image").output


CODE = {
    "kfp_config.ini": "[Components]\nshout = code/shout.py\n",
    "code/shout.py": "from kfp import dsl\n\n\n@dsl.component\ndef shout(text: str) -> str:\n"
    "    from words import louder\n    return louder(text)\n",
    "code/words.py": "def louder(text):\n    return text.upper()\n",
}


@component
def make_whole() -> int:
    return 3


@component
def make_real() -> float:
    return 3.0


@component
def make_text() -> str:
    return "a \"b\"\n'c' {{d}} \\ é ☃"


@component
def make_yes() -> bool:
    return True


@component
def make_items() -> List:
    return [1, 2.5, "x", None, [True], {"a": 1.0}]


@component
def make_struct() -> Dict:
    return {"a": 1, "b": {"c": [1, 2, {"d": None}], "e": False}, "f": 0.5, "": "empty"}


@dsl.pipeline
def every_type() -> str:
    return seen(
        whole=make_whole().output,
        real=make_real().output,
        text=make_text().output,
        yes=make_yes().output,
        items=make_items().output,
        struct=make_struct().output,
    ).output


@dsl.pipeline
def of_the_pipeline(
    whole: int, real: float, text: str, yes: bool, items: List, struct: Dict, other: Optional[str] = None
) -> str:
    return seen(whole=whole, real=real, text=text, yes=yes, items=items, struct=struct).output


@dsl.pipeline
def defaults_of_the_pipeline(
    whole: int = -7,
    real: float = 1e-7,
    text: str = "",
    yes: bool = False,
    items: List = [[], {}, 0],
    struct: Dict = {"z": 1, "a": {"b": []}},
) -> str:
    return seen(whole=whole, real=real, text=text, yes=yes, items=items, struct=struct).output


@component
def with_defaults(
    whole: int = 4, real: float = 2.0, text: str = "t", yes: bool = True, items: List = [1], struct: Dict = {"k": [2]}
) -> str:
    return repr([whole, real, text, yes, items, struct])


@dsl.pipeline
def defaults_of_a_component() -> str:
    return with_defaults(text="mine").output


@component
def swapped(whole: float, text: str) -> str:
    return f"{whole!r} {text!r}"


@dsl.pipeline
def a_whole_float() -> str:
    return swapped(whole=2.0, text="x").output


@dsl.pipeline
def optional_absent(text: Optional[str] = None, whole: Optional[int] = None) -> str:
    return seen(text=text, whole=whole, real=1.5).output


@component
def unlike_none(text: Optional[str] = "the default") -> str:
    return repr(text)


@dsl.pipeline
def optional_with_a_default(text: Optional[str] = None) -> str:
    return unlike_none(text=text).output


@component
def several() -> NamedTuple("Several", [("whole", int), ("words", List[str])]):  # type: ignore[misc, valid-type]
    return (5, ["a", "b"])


@dsl.pipeline
def named_outputs() -> NamedTuple("Made", [("n", int), ("w", List[str])]):  # type: ignore[misc, valid-type]
    made = several()
    outputs = NamedTuple("Made", [("n", int), ("w", List[str])])  # type: ignore[misc]
    return outputs(n=made.outputs["whole"], w=made.outputs["words"])


@dsl.pipeline
def f_strings(name: str = "Ada", n: int = 3, real: float = 2.0, yes: bool = True) -> str:
    said = say(text=name)
    return say(text=f"<{name}> {n} {real} {yes} {said.output} {name}").output


@dsl.pipeline
def quoted_in_structures(n: int = 3, name: str = 'a "quote"') -> str:
    return seen(struct={"n": n, "deep": [f"x{n}", {"name": name}]}, items=[1, name]).output


@dsl.pipeline
def looks_like_a_placeholder(text: str = "{{$.inputs.parameters['text']}} {{x}} ${HOME} $(id) `id`") -> str:
    return say(text=text).output


@dsl.pipeline
def task_names() -> str:
    say(text=dsl.PIPELINE_TASK_NAME_PLACEHOLDER)
    return say(text=f"in {dsl.PIPELINE_TASK_NAME_PLACEHOLDER}!").output


@component
def same(one: str, two: str) -> bool:
    return one == two and bool(one)


@dsl.pipeline
def job_names() -> bool:
    first = say(text=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)
    return same(one=first.output, two=dsl.PIPELINE_JOB_NAME_PLACEHOLDER).output


@component
def pick(mode: str, level: int = 1) -> str:
    return f"{mode} {level}"


@dsl.pipeline
def picking(mode: str = "slow") -> str:
    return pick(mode=mode, level=2).output


def with_literals() -> str:
    """The IR has them; kfp 2.17's decorator does not write them yet."""
    ir = document(picking)
    declared = ir["components"]["comp-pick"]["inputDefinitions"]["parameters"]
    declared["mode"]["literals"] = ["fast", "slow"]
    declared["level"]["literals"] = [1, 2]
    return text(ir)


@component
def half(n: int) -> int:
    return n / 2  # type: ignore[return-value]


@dsl.pipeline
def not_what_it_declares() -> int:
    return half(n=3).output


@component
def ordered(first: str, second: str) -> str:
    return f"{first} {second}"


@dsl.pipeline
def after() -> str:
    one = say(text="one")
    two = say(text="two").after(one)
    return ordered(first=one.output, second=two.output).after(one, two).output


def shown(*values: Any) -> dict[str, str]:
    """What `seen` says of them."""
    return {"Output": json.dumps(values, sort_keys=True)}


WORDS = "a \"b\"\n'c' {{d}} \\ é ☃"
ITEMS = [1, 2.5, "x", None, [True], {"a": 1}]
STRUCT = {"a": 1, "b": {"c": [1, 2, {"d": None}], "e": False}, "f": 0.5, "": "empty"}
LISTED = [1, "a", None, [2]]

CASES = (
    Case("lightweight components: a chain", chain, {"Output": 6}, ran=2),
    Case("lightweight components: additional_funcs", with_helpers, {"Output": "abab"}, ran=1),
    Case("lightweight components: compiled alone", add, {"Output": 5}, {"a": 2, "b": 3}, ran=1),
    Case("lightweight components: several outputs", named_outputs, {"n": 5, "w": ["a", "b"]}, ran=1),
    Case("lightweight components: order by after", after, {"Output": "one two"}, ran=3),
    Case(
        "containerised components: code that the image brings",
        containerised,
        {"Output": "FROM THE IMAGE"},
        ran=1,
        image=CODE,
    ),
    Case("parameters: every type, from task to task", every_type, shown(3, 3.0, WORDS, True, ITEMS, STRUCT), ran=7),
    Case(
        "parameters: every type, given to the pipeline",
        of_the_pipeline,
        shown(3, 4.0, "5", False, LISTED, {"x": {"y": [1, 2.5]}}),
        {
            "whole": 3,
            "real": 4,
            "text": "5",
            "yes": False,
            "items": LISTED,
            "struct": {"x": {"y": [1, 2.5]}},
        },
        ran=1,
    ),
    Case(
        "parameters: defaults of the pipeline",
        defaults_of_the_pipeline,
        shown(-7, 1e-7, "", False, [[], {}, 0], {"z": 1, "a": {"b": []}}),
        ran=1,
    ),
    Case(
        "parameters: defaults of a component",
        defaults_of_a_component,
        {"Output": "[4, 2.0, 'mine', True, [1], {'k': [2]}]"},
        ran=1,
    ),
    Case("parameters: a float that is whole", a_whole_float, {"Output": "2.0 'x'"}, ran=1),
    Case(
        "optional inputs: not given",
        optional_absent,
        shown(None, 1.5, None, None, None, None),
        ran=1,
    ),
    Case(
        "optional inputs: given",
        optional_absent,
        shown(0, 1.5, "", None, None, None),
        {"text": "", "whole": 0},
        ran=1,
    ),
    Case(
        "optional inputs: not given, the component's default",
        optional_with_a_default,
        {"Output": "'the default'"},
        ran=1,
    ),
    Case("literals: one of them", with_literals, {"Output": "slow 2"}, ran=1),
    Case(
        "literals: none of them",
        with_literals,
        {},
        {"mode": "sideways"},
        state="failed",
        failed={"pick": "expected one of"},
        ran=1,
    ),
    Case(
        "outputs: not of the declared type",
        not_what_it_declares,
        {},
        state="failed",
        failed={"half": "want type <class 'int'>"},
        ran=1,
    ),
    Case("placeholders: several in one text", f_strings, {"Output": "<Ada> 3 2 true Ada Ada"}, ran=2),
    Case(
        "placeholders: inside lists and objects",
        quoted_in_structures,
        shown(None, None, None, None, [1, 'a "quote"'], {"n": "3", "deep": ["x3", {"name": 'a "quote"'}]}),
        ran=1,
    ),
    Case(
        "placeholders: what only looks like one",
        looks_like_a_placeholder,
        {"Output": "{{$.inputs.parameters['text']}} {{x}} ${HOME} $(id) `id`"},
        ran=1,
    ),
    Case("placeholders: the task's name", task_names, {"Output": "in say-2!"}, ran=2),
    Case("placeholders: the job's name", job_names, {"Output": True}, ran=2, again=None),
)
