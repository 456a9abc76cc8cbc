"""The small program laid beside an exported file: it runs the file without shinso."""

from __future__ import annotations

COMPARED = """for number, answer in enumerate(answers):
    expected = example[f"expected_{{number}}"]
    difference = np.zeros(expected.shape)
    np.subtract(answer, expected, out=difference, where=answer != expected)  # infinite ones are equal
    scale = max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0)))
    difference = float(np.abs(difference).max(initial=0)) / scale
    print(f"answer {{number}}: shape {{answer.shape}}, largest difference {{difference:.1e}}")
    assert difference <= {tolerance}
"""
"""Each answer beside the right one, the same in every program."""

ONNX = (
    '''"""Runs {file} with onnxruntime and numpy alone: pip install onnxruntime numpy

{about}
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime

here = Path(__file__).parent
session = onnxruntime.InferenceSession(here / "{file}", providers=["CPUExecutionProvider"])
about = session.get_modelmeta().custom_metadata_map
for title, values in (("inputs", session.get_inputs()), ("answers", session.get_outputs())):
    print(f"{{title}}:")
    for one in values:
        print(f"  {{one.name}} {{one.shape}} {{one.type}}")
example = np.load(here / "example.npz")
inputs = {{one.name: example[one.name] for one in session.get_inputs()}}
answers = session.run(None, inputs)
'''
    + COMPARED
    + """classes = json.loads(about.get("shinso.class_names", "[]"))
if classes and answers[0].shape[-1] == len(classes):
    print("first:", classes[int(answers[0].reshape(-1, len(classes))[0].argmax())])
"""
)

ARCHIVE = (
    '''"""Runs {file} with torch alone: pip install torch numpy

{about}
"""

from pathlib import Path

import numpy as np
import torch

here = Path(__file__).parent
{operator}model = torch.export.load(here / "{file}").module()
example = np.load(here / "example.npz")
inputs = {{n: torch.from_numpy(v) for n, v in example.items() if not n.startswith("expected_")}}
answers = [one.detach().numpy() for one in model(**inputs)]
'''
    + COMPARED
)

OPERATOR = """import sys

sys.path.insert(0, str(here))
import recurrent_op  # noqa: E402, F401  the operator that stands for a recurrent layer

"""
