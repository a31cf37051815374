"""A backup that is written over the node's own files keeps their inodes; the machine remembers that the log was longer."""

from __future__ import annotations

import shutil

from simulators.processes import kizuna

from kizuna.wiring import DATABASE


def test_a_backup_written_over_the_database_serves_nothing(pair, tmp_path):
    backup = tmp_path / "backup.sqlite"
    # Opened and closed by a command, the database is one file.
    shutil.copyfile(pair.jpn / DATABASE, backup)
    size = (pair.jpn / DATABASE).stat().st_ino
    done = kizuna("agreement", "suspend", "IQPS-HUR-2025", "--reason", "Review.", "--node", pair.jpn)
    assert done.status == 0, done.err
    for name in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (pair.jpn / name).unlink(missing_ok=True)
    with backup.open("rb") as source, (pair.jpn / DATABASE).open("r+b") as target:
        target.truncate()
        shutil.copyfileobj(source, target)
    assert (pair.jpn / DATABASE).stat().st_ino == size
    served = kizuna("node", "serve", "--node", pair.jpn, "--json")
    assert served.status == 1
    assert "TailUnconfirmed" in served.err
