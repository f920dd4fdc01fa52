"""TensorFlow and TFDV in children of a process that has imported them: what forking could break, works."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.tasks import Bench, short_folder
from tidegate.components import images
from tidegate.local.environments import NoEnvironment, resolve
from tidegate.local.execution import Ending, Outcome
from tidegate.local.settings import load

pytestmark = pytest.mark.components

TRAIN = """
import os, sys
from tidegate.components.tfx_modules.autograph import leave_libraries_alone
leave_libraries_alone()
import numpy as np
import tensorflow as tf
model = tf.keras.Sequential([tf.keras.layers.Dense(8, activation='relu'), tf.keras.layers.Dense(1)])
model.compile('adam', 'mse')
model.fit(np.random.rand(500, 4), np.random.rand(500), epochs=1, verbose=0)
model.save('saved')
loaded = tf.saved_model.load('saved')
answer = loaded.signatures['serving_default'](tf.constant(np.ones((3, 4), 'float32')))
print(next(iter(answer.values())).shape, os.environ['TF_USE_LEGACY_KERAS'], np.random.rand())
"""
STATISTICS = """
import numpy as np, pandas as pd
import tensorflow_data_validation as tfdv
found = tfdv.generate_statistics_from_dataframe(pd.DataFrame({'a': np.arange(10_000.0)}))
print(found.datasets[0].num_examples)
"""


@pytest.fixture(scope="module")
def runtime() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


def test_training_and_statistics_in_forked_children(tmp_path: Path, runtime: Path) -> None:
    settings = load(Path(__file__))
    try:
        resolve(settings, images.COMPONENTS)
    except NoEnvironment as error:
        pytest.skip(str(error))
    bench = Bench(tmp_path, runtime, settings)
    sources = {"light": "print('light')", "first": TRAIN, "second": TRAIN, "statistics": STATISTICS}
    executions = {
        name: bench.execution("python3", "-c", source, image=images.COMPONENTS, memory=4 * 2**30)
        for name, source in sources.items()
    }

    async def play() -> dict[str, Outcome]:
        workers = bench.workers()
        try:
            found = await asyncio.gather(*map(workers.run, executions.values()))
            return dict(zip(executions, found, strict=True))
        finally:
            await workers.close()

    outcomes = asyncio.run(play())
    logs = {name: execution.log.read_text() for name, execution in executions.items()}
    assert {outcome.ending for outcome in outcomes.values()} == {Ending.SUCCEEDED}, logs
    assert outcomes["light"].ended < outcomes["first"].started  # it did not wait for TensorFlow
    assert {name: outcome.details["worker"] for name, outcome in outcomes.items()} == {
        "light": "warm",
        "first": "tensorflow",
        "second": "tensorflow",
        "statistics": "tensorflow_data_validation",
    }
    assert logs["statistics"].strip().endswith("10000")
    first, second = (logs[name].strip().splitlines()[-1].rsplit(" ", 1) for name in ("first", "second"))
    assert first[0] == second[0] == "(3, 1) 1"
    assert first[1] != second[1]  # numpy's generator is not the worker's own
