"""Kernels are compiled before anybody needs them: oneDNN itself tells (ONEDNN_VERBOSE)."""

import subprocess
import sys

import torch

from inference.kernels import compile_kernels
from inference.networks.recurrent import Recurrent, RecurrentConfig
from tests.servers import ROOT, environment

SCRIPT = """
import numpy as np, torch
from pathlib import Path
from inference.enhancer import Enhancer, enhance
from inference.kernels import compile_kernels
from inference.store import load_store
torch.set_num_threads(1)
model = load_store(Path("models"), precision="auto").resolve("production")
compile_kernels(model.network, 2)
print("compiled", flush=True)
for channels in (1, 2):
    for seconds in (0.1, 0.9, 3.3, 7.7, 11.0, 19.9):
        samples = np.zeros((int(seconds * 16000), channels), np.float32)
        for _ in enhance([samples], Enhancer(model, rate=16000, channels=channels)):
            pass
"""


def test_recordings_find_their_kernels():
    variables = {
        **environment(),
        "ONEDNN_VERBOSE": "profile_create",
        "OMP_NUM_THREADS": "1",
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "768",
    }
    command = [sys.executable, "-c", SCRIPT]
    told = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True).stdout
    before, _, after = told.partition("compiled\n")
    assert before.count("cache_miss") > 50
    assert after.count("cache_hit") > 100
    assert after.count("cache_miss") == 0


def test_nothing_is_left_of_it_in_the_network():
    torch.manual_seed(0)
    network = Recurrent(RecurrentConfig(hidden=16, layers=1, stride=2, preview=4)).eval()
    spectra = torch.randn(1, 64, 257, dtype=torch.complex64)
    with torch.inference_mode():
        before, _ = network(spectra, network.initial_state(1))
        compile_kernels(network, 3)
        after, _ = network(spectra, network.initial_state(1))
    assert torch.equal(before, after)
