"""The page for operators explains all that the program tells them."""

from __future__ import annotations

import re
from pathlib import Path

HOME = Path(__file__).parents[2]
PAGE = (HOME / "docs" / "operate.md").read_text("utf-8")


def test_each_metric_is_explained():
    source = (HOME / "src/kizuna/web/metrics.py").read_text("utf-8")
    assert set(re.findall(r'"(kizuna_\w+)"', source)) == set(re.findall(r"`(kizuna_\w+)`", PAGE))
