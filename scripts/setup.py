#!/usr/bin/env python3
"""Make `.venv` with kizuna in it: `setup.py run|check|test`. For the tests also `.venv-clients`, and a browser of catalogues.

Standard library only, and old syntax on purpose: any Python 3 on the PATH may start it. It looks for an
interpreter that kizuna supports by *running* each candidate (a name on the PATH can be an empty shim), installs the
locked, hashed requirements of the level asked for, and leaves a stamp so that the next call costs nothing.
"""

import glob
import hashlib
import os
import pwd
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
CLIENTS_VENV = os.path.join(ROOT, ".venv-clients")
LEVELS = ("run", "check", "test")
OLDEST = (3, 12)
NEWEST = (3, 14)
PROBE = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
# Programs of which one must be on the PATH, and the Debian packages that bring it.
PARTS = (
    (("chromium", "chromium-browser", "google-chrome"), ("chromium", "fonts-noto-core", "fonts-noto-cjk")),
    (("xmlsec1",), ("xmlsec1",)),
    (("xmllint",), ("libxml2-utils",)),
    (("initdb",), ("postgresql",)),
    (("pgsql2shp",), ("postgis", "postgresql-postgis")),
    (("faketime",), ("faketime",)),
    (("ogrinfo",), ("gdal-bin",)),
    (("qgis",), ("qgis", "python3-qgis", "qgis-providers")),
    (("npm",), ("npm",)),
    (("c++", "g++"), ("g++",)),
)
# STAC Browser, built from its package with the dependencies that its own lock here names.
BROWSER = os.path.join(ROOT, "build", "stac-browser")
BROWSER_PACKAGE = "@radiantearth/stac-browser@4.0.1"
BROWSER_LOCK = os.path.join(ROOT, "tests", "clients", "stac-browser")
# Where Debian puts programs that are not on the PATH.
ELSEWHERE = ("/usr/lib/postgresql/*/bin",)


def say(text):
    sys.stderr.write("setup: %s\n" % text)
    sys.stderr.flush()


def version_of(python):
    """Version of the interpreter as (major, minor), or None if it does not run or cannot make an environment."""
    try:
        done = subprocess.run([python, "-I", "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    major, _, minor = done.stdout.decode().strip().partition(".")
    return int(major), int(minor)


def candidates():
    """Interpreters to try, the most likely first: $PYTHON, the PATH, this one, pyenv's versions, what uv knows."""
    if os.environ.get("PYTHON"):
        yield os.environ["PYTHON"]
    for name in ("python3.13", "python3.12", "python3.14", "python3", "python"):
        path = shutil.which(name)
        if path:
            yield path
    yield sys.executable
    homes = [os.path.expanduser("~"), pwd.getpwuid(os.getuid()).pw_dir]
    for root in [os.environ.get("PYENV_ROOT", "")] + [os.path.join(home, ".pyenv") for home in homes]:
        for minor in ("3.13", "3.12", "3.14"):
            for path in sorted(glob.glob(os.path.join(root, "versions", minor + "*", "bin", "python3")), reverse=True):
                yield path
    uv = shutil.which("uv")
    if uv:
        for minor in ("3.13", "3.12"):
            try:
                found = subprocess.run(
                    [uv, "python", "find", "--no-project", minor], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60
                )
            except (OSError, subprocess.TimeoutExpired):
                continue
            if found.returncode == 0:
                yield found.stdout.decode().strip()


def find_interpreter():
    seen = set()
    for python in candidates():
        real = os.path.abspath(python)
        if real in seen:
            continue
        seen.add(real)
        version = version_of(python)
        if version is not None and OLDEST <= version <= NEWEST:
            return python, version
    sys.exit(
        "setup: kizuna needs Python %d.%d or newer and none was found; install one (Debian 13: apt-get install "
        "python3.13-venv; elsewhere: uv python install 3.13) or name one with PYTHON=/path/to/python3.13." % OLDEST
    )


def run(command, folder=ROOT):
    done = subprocess.run(command, cwd=folder)
    if done.returncode != 0:
        sys.exit("setup: this command failed (status %d): %s" % (done.returncode, " ".join(command)))


def digest(level):
    """What the environment was made from: change the lock or the project's metadata and it is made anew."""
    h = hashlib.sha256()
    for name in ("requirements/%s.txt" % level, "pyproject.toml", "scripts/setup.py"):
        with open(os.path.join(ROOT, name), "rb") as f:
            h.update(f.read())
    return h.hexdigest()


def install_environment(level, venv=VENV):
    stamp = os.path.join(venv, ".kizuna-setup")
    python = os.path.join(venv, "bin", "python")
    done = {}
    if os.path.exists(stamp) and version_of(python) is not None:
        with open(stamp) as f:
            done = dict(line.split() for line in f if line.strip())
    # A richer level contains the poorer ones.
    richer = LEVELS[LEVELS.index(level) :] if level in LEVELS else (level,)
    if any(done.get(other) == digest(other) for other in richer):
        return
    if version_of(python) is None:
        base, version = find_interpreter()
        say("Python %d.%d at %s" % (version + (base,)))
        run([base, "-m", "venv", "--clear", venv])
        done = {}
    say("installing requirements/%s.txt (the first time takes a minute or two)" % level)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    wheels = ["--only-binary", ":all:"]
    if level == "clients":
        # pypgstac needs it, and it has no wheel.
        wheels += ["--no-binary", "version-parser"]
    run(pip + ["--require-hashes"] + wheels + ["-r", os.path.join("requirements", level + ".txt")])
    if level in LEVELS:
        run(pip + ["--no-deps", "--no-build-isolation", "--editable", "."])
    done[level] = digest(level)
    with open(stamp, "w") as f:
        f.writelines("%s %s\n" % item for item in sorted(done.items()))


def install_parts():
    """Real parts that the tests talk to (a browser, the XML tools, a database, other clocks): installed by apt when missing and allowed."""
    folders = [folder for pattern in ELSEWHERE for folder in sorted(glob.glob(pattern))]
    path = os.pathsep.join([os.environ.get("PATH", os.defpath)] + folders)
    missing = [packages for names, packages in PARTS if not any(shutil.which(name, path=path) for name in names)]
    if not missing:
        return
    packages = [package for some in missing for package in some]
    apt = shutil.which("apt-get")
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not apt or (prefix and not shutil.which("sudo")):
        sys.exit("setup: the tests need %s; install them and run again." % ", ".join(packages))
    say("installing %s for the tests" % ", ".join(packages))
    env = prefix + ["env", "DEBIAN_FRONTEND=noninteractive"]
    run(env + [apt, "update", "-qq"])
    run(env + [apt, "install", "-y", "-qq", "--no-install-recommends"] + packages)


def install_browser():
    """STAC Browser, for a browser to read: built once (a few minutes), and again when its lock changes."""
    stamp = os.path.join(BROWSER, "dist", ".kizuna-setup")
    h = hashlib.sha256(BROWSER_PACKAGE.encode())
    for name in ("package.json", "package-lock.json"):
        with open(os.path.join(BROWSER_LOCK, name), "rb") as f:
            h.update(f.read())
    if os.path.exists(stamp):
        with open(stamp) as f:
            if f.read() == h.hexdigest():
                return
    say("building STAC Browser for the tests (takes some minutes)")
    shutil.rmtree(BROWSER, ignore_errors=True)
    os.makedirs(BROWSER)
    run(["npm", "pack", "--silent", BROWSER_PACKAGE], BROWSER)
    (archive,) = glob.glob(os.path.join(BROWSER, "*.tgz"))
    run(["tar", "-xzf", archive, "--strip-components=1"], BROWSER)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(BROWSER_LOCK, name), BROWSER)
    run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], BROWSER)
    # Any catalogue; its address stands behind a # and needs no server's help.
    run(["npx", "vue-cli-service", "build", "--noSourceMaps", "--historyMode=hash", "--silent"], BROWSER)
    shutil.rmtree(os.path.join(BROWSER, "node_modules"))
    with open(stamp, "w") as f:
        f.write(h.hexdigest())


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in LEVELS:
        sys.exit("usage: setup.py %s" % "|".join(LEVELS))
    install_environment(arguments[0])
    if arguments[0] == "test":
        install_parts()
        install_environment("clients", CLIENTS_VENV)
        install_browser()


if __name__ == "__main__":
    main(sys.argv[1:])
