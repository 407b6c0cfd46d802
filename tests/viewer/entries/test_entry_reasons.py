"""Every line template lists reasons of its own, in both languages."""

from __future__ import annotations

import pytest

from agent.config import load_site
from agent.templates.compose import line_names, template
from viewer.entries.settings import STOP_REASONS


@pytest.mark.parametrize("line", line_names())
def test_a_template_lists_why_it_stands(line: str) -> None:
    entry = load_site(template(line)).entry
    assert entry is not None
    for listed in (entry.stop_reasons, entry.defect_types):
        labels = [(one.ko, one.en) for one in listed.values()]
        assert all(ko and en for ko, en in labels)
        assert len(set(labels)) == len(labels)
    assert {"breakdown", "other"} <= entry.stop_reasons.keys()
    assert entry.stop_reasons != STOP_REASONS
