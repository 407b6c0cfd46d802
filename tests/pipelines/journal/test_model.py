"""The journal against a list, whatever the order of appends, commits, failures, crashes, releases and drops."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.pipelines.journal.model import Model


class Machine(RuleBasedStateMachine):
    """Random lives of a journal."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="journal-model-"))
        self.model = Model(self.folder)

    @rule(size=st.sampled_from([0, 10, 1000, 20_000, 90_000]), points=st.integers(0, 5), times=st.integers(1, 4))
    def append(self, size: int, points: int, times: int) -> None:
        for _ in range(times):
            self.model.append(size, points)

    @rule(times=st.integers(5, 20))
    def fill(self, times: int) -> None:
        for _ in range(times):
            self.model.append(30_000, 2)
            self.model.commit()

    @rule(failing=st.booleans())
    def commit(self, *, failing: bool) -> None:
        self.model.commit(failing=failing)

    @rule(which=st.integers(0, 1000), times=st.integers(1, 40))
    def release(self, which: int, times: int) -> None:
        for _ in range(times):
            self.model.release(which)

    @rule(power_cut=st.booleans(), orderly=st.booleans())
    def restart(self, *, power_cut: bool, orderly: bool) -> None:
        self.model.restart(power_cut=power_cut, orderly=orderly)

    @invariant()
    def holds(self) -> None:
        self.model.check()

    def teardown(self) -> None:
        self.model.close()
        shutil.rmtree(self.folder)


TestJournal = Machine.TestCase
TestJournal.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)
