"""Container components, components from YAML, and what fills their commands in."""

# ruff: noqa: UP006, UP035, UP045 - what kfp reads

from typing import Dict, List, Optional

from kfp import components, dsl

from tests.conformance.case import Case, Made
from tests.conformance.components import IMAGE, read, say, seen, write


@dsl.container_component
def greet(name: str, greeting: dsl.OutputPath(str)):  # type: ignore[valid-type]
    return dsl.ContainerSpec(
        IMAGE, ["sh", "-c", 'mkdir -p "$(dirname "$1")" && printf "Hello, %s!" "$0" > "$1"'], [name, greeting]
    )


@dsl.pipeline
def output_parameter(name: str = "$(id) 'Ada'") -> str:
    return greet(name=name).outputs["greeting"]


@dsl.container_component
def count_letters(
    data: dsl.Input[dsl.Dataset],
    copied: dsl.Output[dsl.Model],
    letters: dsl.OutputPath(int),  # type: ignore[valid-type]
):
    return dsl.ContainerSpec(
        IMAGE,
        ["sh", "-c", 'cp "$0" "$1" && mkdir -p "$(dirname "$2")" && wc -c < "$0" > "$2"'],
        [data.path, copied.path, letters],
    )


@dsl.pipeline
def artifact_paths() -> dsl.Model:
    made = count_letters(data=write(text="five!").outputs["data"])
    seen(whole=made.outputs["letters"])
    return made.outputs["copied"]


@dsl.container_component
def nothing_in_nothing_out():
    return dsl.ContainerSpec(IMAGE, ["true"])


@dsl.pipeline
def no_inputs():
    nothing_in_nothing_out()


ECHO = ["sh", "-c", 'out="$0"; mkdir -p "$(dirname "$out")"; printf "<%s>" "$@" > "$out"']


@dsl.container_component
def echo_types(
    whole: int,
    real: float,
    yes: bool,
    items: List,
    struct: Dict,
    said: dsl.OutputPath(str),  # type: ignore[valid-type]
):
    return dsl.ContainerSpec(IMAGE, ECHO, [said, whole, real, yes, items, struct])


@dsl.pipeline
def types_as_text() -> str:
    return echo_types(whole=3, real=2.0, yes=True, items=[1, "a"], struct={"k": [0.5]}).outputs["said"]


@dsl.container_component
def choose(
    said: dsl.OutputPath(str),  # type: ignore[valid-type]
    name: Optional[str] = None,
    word: str = "w",
):
    return dsl.ContainerSpec(
        IMAGE,
        ECHO,
        [
            said,
            dsl.IfPresentPlaceholder("name", then=["--name", name], else_=["--anonymous"]),
            dsl.ConcatPlaceholder(
                ["word=", word, dsl.IfPresentPlaceholder("name", then=dsl.ConcatPlaceholder(["/", name]), else_="")]
            ),
        ],
    )


@dsl.pipeline
def present(name: Optional[str] = None) -> str:
    return choose(name=name, word="a b").outputs["said"]


@dsl.pipeline
def absent() -> str:
    return choose(word="{{$.x}}").outputs["said"]


@dsl.container_component
def mixed(
    name: str,
    data: dsl.Input[dsl.Dataset],
    said: dsl.OutputPath(str),  # type: ignore[valid-type]
):
    return dsl.ContainerSpec(
        IMAGE, ECHO, [said, f"{name}-{data.metadata['length']}-{name}", f"--x={data.metadata['none']}"]
    )


@dsl.pipeline
def in_f_strings() -> str:
    return mixed(name="n", data=write(text="abc").outputs["data"]).outputs["said"]


V1 = components.load_component_from_text("""
name: Old style
inputs:
- {name: Words, type: String}
- {name: Count, type: Integer, default: '2'}
- {name: Extra, type: String, optional: true}
outputs:
- {name: Said, type: String}
- {name: File, type: Dataset}
implementation:
  container:
    image: python:3.11
    command:
    - sh
    - -c
    - 'mkdir -p "$(dirname "$0")" "$(dirname "$1")"; printf file > "$1"; shift; printf "<%s>" "$@" > "$0"'
    - {outputPath: Said}
    - {outputPath: File}
    - {inputValue: Words}
    args:
    - --count
    - {inputValue: Count}
    - if:
        cond: {isPresent: Extra}
        then: [--extra, {inputValue: Extra}]
    - concat: [a, {inputValue: Words}]
""")

V2 = components.load_component_from_text("""
components:
  comp-shout:
    executorLabel: exec-shout
    inputDefinitions: {parameters: {text: {parameterType: STRING}}}
    outputDefinitions: {parameters: {said: {parameterType: STRING}}}
deploymentSpec:
  executors:
    exec-shout:
      container:
        image: python:3.11
        command:
        - sh
        - -c
        - mkdir -p "$(dirname "$1")" && printf '%s' "$0" | tr a-z A-Z > "$1"
        args: ["{{$.inputs.parameters['text']}}", "{{$.outputs.parameters['said'].output_file}}"]
pipelineInfo: {name: shout}
root:
  dag:
    outputs:
      parameters:
        said: {valueFromParameter: {outputParameterKey: said, producerSubtask: shout}}
    tasks:
      shout:
        cachingOptions: {enableCache: true}
        componentRef: {name: comp-shout}
        inputs: {parameters: {text: {componentInputParameter: text}}}
        taskInfo: {name: shout}
  inputDefinitions: {parameters: {text: {parameterType: STRING}}}
  outputDefinitions: {parameters: {said: {parameterType: STRING}}}
schemaVersion: 2.1.0
sdkVersion: kfp-2.0.1
""")


@dsl.pipeline
def loaded_v1() -> str:
    made = V1(words="x y")
    read(data=made.outputs["file"])
    return made.outputs["said"]


@dsl.pipeline
def loaded_v2() -> str:
    return say(text=V2(text="loud").outputs["said"]).output


@dsl.container_component
def break_off():
    return dsl.ContainerSpec(IMAGE, ["sh", "-c", "echo on its way >&2; exit 3"])


@dsl.pipeline
def exit_code():
    break_off()


@dsl.container_component
def forget(said: dsl.OutputPath(int)):  # type: ignore[valid-type]
    return dsl.ContainerSpec(IMAGE, ["echo"], [said])


@dsl.pipeline
def nothing_written() -> int:
    return forget().outputs["said"]


@dsl.container_component
def whole_input(name: str, said: dsl.OutputPath(str)):  # type: ignore[valid-type]
    return dsl.ContainerSpec(
        IMAGE,
        [
            "python3",
            "-c",
            "import json, os, sys; given = json.loads(sys.argv[1]); "
            "path = given['outputs']['parameters']['said']['outputFile']; "
            "os.makedirs(os.path.dirname(path), exist_ok=True); "
            "open(path, 'w').write(given['inputs']['parameterValues']['name'])",
            "{{$}}",
        ],
    )


@dsl.pipeline
def executor_input() -> str:
    return whole_input(name='"quoted"\n').outputs["said"]


CASES = (
    Case(
        "container components: an output parameter by path", output_parameter, {"Output": "Hello, $(id) 'Ada'!"}, ran=1
    ),
    Case(
        "container components: artifacts by path",
        artifact_paths,
        {"Output": Made("five!", "system.Model")},
        ran=3,
        values={"seen": {"Output": "[5, null, null, null, null, null]"}},
    ),
    Case("container components: no inputs", no_inputs, ran=1),
    Case(
        "container components: every type as text",
        types_as_text,
        {"Output": '<3><2><true><[1,"a"]><{"k":[0.5]}>'},
        ran=1,
    ),
    Case("container components: an exit code", exit_code, state="failed", failed={"break-off": "3"}, ran=1),
    Case(
        "container components: an output not written", nothing_written, state="failed", failed={"forget": "said"}, ran=1
    ),
    Case("container components: ExecutorInput as a whole", executor_input, {"Output": '"quoted"\n'}, ran=1),
    Case("IfPresent: present, in Concat too", present, {"Output": "<--name><N><word=a b/N>"}, {"name": "N"}, ran=1),
    Case("IfPresent: absent", absent, {"Output": "<--anonymous><word={{$.x}}>"}, ran=1),
    Case("IfPresent: bound to a parameter that was not given", present, {"Output": "<--anonymous><word=a b>"}, ran=1),
    Case("placeholders: f-strings of container components", in_f_strings, {"Output": "<n-3-n><--x=>"}, ran=2),
    Case(
        "components from YAML: version 1",
        loaded_v1,
        {"Output": "<x y><--count><2><ax y>"},
        ran=2,
        values={"read": {"Output": "file"}},
    ),
    Case("components from YAML: version 2", loaded_v2, {"Output": "LOUD"}, ran=2),
)
