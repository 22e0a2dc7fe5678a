"""Files on our own disk: two processes that write the same one never mix their bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from pipelines.storage.files import write_durably
target, byte, size = Path(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])
for _ in range(100):
    write_durably(target, byte * size)
    data = target.read_bytes()
    if data not in (b"a" * 300_000, b"b" * 200_000):
        sys.exit(f"mixed: {len(data)}")
"""


def test_two_processes_that_write_one_file_never_mix_their_bytes(tmp_path: Path) -> None:
    target = str(tmp_path / "table.parquet")
    writers = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, target, *which], stderr=subprocess.PIPE, text=True)
        for which in (("a", "300000"), ("b", "200000"))
    ]
    assert [writer.communicate()[1] for writer in writers] == ["", ""]
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]
