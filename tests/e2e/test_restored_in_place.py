"""A backup that is written over the node's own files keeps their inodes; the machine remembers that the log was longer."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

from simulators.processes import kizuna

from kizuna.wiring import DATABASE


def test_a_backup_written_over_the_database_serves_nothing(pair, tmp_path):
    backup = tmp_path / "backup.sqlite"
    # Opened and closed by a command, the database is one file.
    shutil.copyfile(pair.jpn / DATABASE, backup)
    size = (pair.jpn / DATABASE).stat().st_ino
    done = kizuna("agreement", "suspend", "IQPS-HUR-2025", "--reason", "Review.", "--node", pair.jpn)
    assert done.status == 0, done.err
    set_back(pair.jpn, backup)
    assert (pair.jpn / DATABASE).stat().st_ino == size
    served = kizuna("node", "serve", "--node", pair.jpn, "--json")
    assert served.status == 1
    assert "TailUnconfirmed" in served.err


def set_back(folder, backup):
    """Write a backup over the database, as a snapshot of a machine would."""
    for name in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (folder / name).unlink(missing_ok=True)
    with backup.open("rb") as source, (folder / DATABASE).open("r+b") as target:
        target.truncate()
        shutil.copyfileobj(source, target)


def test_what_an_officer_recorded_who_was_killed_right_afterwards_is_missed_too(pair, tmp_path):
    """What is durable is remembered at once, not when the command ends."""
    backup = tmp_path / "backup.sqlite"
    shutil.copyfile(pair.jpn / DATABASE, backup)
    killed = """if True:
        import os, signal, sys
        from pathlib import Path
        from kizuna.node.founding import suspend_agreement
        from kizuna.wiring import open_node
        with open_node(Path(sys.argv[1])) as node:
            suspend_agreement(node, "IQPS-HUR-2025", "Review.", "officer")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", killed, str(pair.jpn)], check=False)
    assert done.returncode == -signal.SIGKILL
    set_back(pair.jpn, backup)
    served = kizuna("node", "serve", "--node", pair.jpn, "--json")
    assert served.status == 1
    assert "TailUnconfirmed" in served.err


def test_what_is_recorded_in_a_folder_that_is_in_doubt_makes_it_no_surer(pair, tmp_path):
    backup = tmp_path / "backup.sqlite"
    shutil.copyfile(pair.jpn / DATABASE, backup)
    assert kizuna("agreement", "suspend", "IQPS-HUR-2025", "--reason", "Review.", "--node", pair.jpn).status == 0
    set_back(pair.jpn, backup)
    for _ in range(3):
        kizuna("agreement", "suspend", "IQPS-HUR-2025", "--reason", "Again.", "--node", pair.jpn)
        kizuna("agreement", "resume", "IQPS-HUR-2025", "--node", pair.jpn)
    served = kizuna("node", "serve", "--node", pair.jpn, "--json")
    assert served.status == 1
    assert "TailUnconfirmed" in served.err
