"""The elements of JMeter's plans, as XML that JMeter 5.5 and newer load.

An element is followed by a `hashTree` of what is below it; `Branch` is that pair. The names are those of JMeter's own
files (bin/saveservice.properties, and what its window saves).
"""

from pathlib import Path
from xml.etree import ElementTree  # nosec B405: written here, never read
from xml.etree.ElementTree import Element  # nosec B405

SCRIPTS = Path(__file__).resolve().parent / "scripts"
Branch = tuple[Element, list["Branch"]]
Value = str | bool | int
KINDS = {str: "stringProp", bool: "boolProp", int: "intProp"}


def prop(name: str, value: Value) -> Element:
    """A property of an element."""
    made = Element(KINDS[type(value)], name=name)
    made.text = str(value).lower() if isinstance(value, bool) else str(value)
    return made


def element(kind: str, gui: str, name: str, **values: Value) -> Element:
    """An element of the class `kind`; in the names of its properties `__` stands for a dot."""
    made = Element(kind, guiclass=gui, testclass=kind, testname=name, enabled="true")
    made.extend(prop(key.replace("__", "."), value) for key, value in values.items())
    return made


def part(name: str, kind: str, *inside: Element) -> Element:
    """An element inside of another."""
    made = Element("elementProp", name=name, elementType=kind)
    made.extend(inside)
    return made


def several(name: str, inside: list[Element]) -> Element:
    """A list of elements inside of another."""
    made = Element("collectionProp", name=name)
    made.extend(inside)
    return made


def variables(name: str, kind: str, values: dict[str, str]) -> Element:
    """The list of name and value that `Arguments` is."""
    pairs = [
        part(key, kind, prop("Argument.name", key), prop("Argument.value", value), prop("Argument.metadata", "="))
        for key, value in values.items()
    ]
    return part(name, "Arguments", several("Arguments.arguments", pairs))


def test_plan(name: str, says: str, defined: dict[str, str], below: list[Branch]) -> Branch:
    """The root; its groups of threads run one after the other."""
    made = element(
        "TestPlan",
        "TestPlanGui",
        name,
        TestPlan__comments=says,
        TestPlan__functional_mode=False,
        TestPlan__serialize_threadgroups=True,
        TestPlan__tearDown_on_shutdown=True,
    )
    made.append(variables("TestPlan.user_defined_variables", "Argument", defined))
    return made, below


def script(kind: str, name: str, *files: str) -> Branch:
    """Groovy at one place of the plan; the text is copied in, so that a plan needs no other file."""
    text = "\n".join((SCRIPTS / file).read_text() for file in files)
    values = {"scriptLanguage": "groovy", "cacheKey": "true", "filename": "", "parameters": "", "script": text}
    return element(kind, "TestBeanGUI", name, **values), []


def csv_rows(file: str, names: str, *, repeat: bool) -> Branch:
    """One row for each turn of a thread, its columns as variables; at the end again from the first, or the end."""
    made = element(
        "CSVDataSet",
        "TestBeanGUI",
        "rows",
        filename=file,
        fileEncoding="UTF-8",
        variableNames=names,
        delimiter=",",
        quotedData=True,
        ignoreFirstLine=True,
        recycle=repeat,
        stopThread=not repeat,
        shareMode="shareMode.group",
    )
    return made, []


def request(label: str, path: str, below: list[Branch]) -> Branch:
    """A request, with a file as field of a form, as bare body, or none, as the variables say."""
    file = part(
        "${upload}",
        "HTTPFileArg",
        prop("File.path", "${upload}"),
        prop("File.paramname", "${field}"),
        prop("File.mimetype", "${type}"),
    )
    made = element(
        "HTTPSamplerProxy",
        "HttpTestSampleGui",
        label,
        HTTPSampler__protocol="${scheme}",
        HTTPSampler__domain="${host}",
        HTTPSampler__port="${port}",
        HTTPSampler__method="${method}",
        HTTPSampler__path=path,
        HTTPSampler__follow_redirects=False,
        HTTPSampler__auto_redirects=False,
        HTTPSampler__use_keepalive=True,
        HTTPSampler__BROWSER_COMPATIBLE_MULTIPART=True,
        HTTPSampler__DO_MULTIPART_POST=False,
        HTTPSampler__implementation="HttpClient4",
        HTTPSampler__connect_timeout="${timeout_ms}",
        HTTPSampler__response_timeout="${timeout_ms}",
    )
    made.append(part("HTTPsampler.Files", "HTTPFileArgs", several("HTTPFileArgs.files", [file])))
    made.append(part("HTTPsampler.Arguments", "Arguments", several("Arguments.arguments", [])))
    return made, below


def threads(name: str, number: str, loops: int, below: list[Branch], kind: str = "ThreadGroup") -> Branch:
    """`number` users who begin at once; each does what is below `loops` times (-1: until the rows end)."""
    made = element(
        kind,
        f"{kind}Gui",
        name,
        ThreadGroup__on_sample_error="continue",
        ThreadGroup__num_threads=number,
        ThreadGroup__ramp_time="0",
        ThreadGroup__scheduler=False,
        ThreadGroup__same_user_on_next_iteration=True,
    )
    loop = (prop("LoopController.continue_forever", False), prop("LoopController.loops", loops))
    made.append(part("ThreadGroup.main_controller", "LoopController", *loop))
    return made, below


def arrivals(name: str, schedule: str, seed: str, below: list[Branch]) -> Branch:
    """Users who arrive when the schedule says, whether or not those before them have been served."""
    made = element(
        "OpenModelThreadGroup",
        "OpenModelThreadGroupGui",
        name,
        ThreadGroup__on_sample_error="continue",
        OpenModelThreadGroup__schedule=schedule,
        OpenModelThreadGroup__random_seed=seed,
    )
    made.append(part("ThreadGroup.main_controller", "OpenModelThreadGroupController"))
    return made, below


def loop_while(condition: str, below: list[Branch]) -> Branch:
    """What is below, again and again while the condition gives "true"."""
    return element(
        "WhileController", "WhileControllerGui", "until answered", WhileController__condition=condition
    ), below


def document(root: Branch) -> str:
    """The text of a plan."""
    plan = Element("jmeterTestPlan", version="1.2", properties="5.0", jmeter="5.5")
    plan.append(_tree([root]))
    ElementTree.indent(plan)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(plan, encoding="unicode") + "\n"


def _tree(branches: list[Branch]) -> Element:
    made = Element("hashTree")
    for root, below in branches:
        made.append(root)
        made.append(_tree(below))
    return made
