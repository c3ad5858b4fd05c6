"""Makes the reference trajectories beside it, each 100 steps of an optimizer of PyTorch.

Made with Python 3.11, torch 2.13.0 (CPU, float64, one thread): `pip install torch==2.13.0`, then
`python make.py` in this directory. PyTorch only steps; the gradients are those of objective.py.
A file has the class, its arguments (the others at their defaults) and the parameters before the
first step and after each.
"""

import json
from pathlib import Path

import torch
from objective import START, gradient

STEPS = 100
RUNS = {
    "sgd": ("SGD", {"lr": 0.01}),
    "sgd-decay": ("SGD", {"lr": 0.01, "weight_decay": 0.1}),
    "momentum": ("SGD", {"lr": 0.003, "momentum": 0.9}),
    "momentum-decay": ("SGD", {"lr": 0.003, "momentum": 0.9, "weight_decay": 0.1}),
    "nesterov": ("SGD", {"lr": 0.003, "momentum": 0.9, "nesterov": True}),
    "adagrad": ("Adagrad", {"lr": 0.2}),
    "adagrad-initial": ("Adagrad", {"lr": 0.2, "initial_accumulator_value": 0.5, "eps": 1e-6}),
    "rmsprop": ("RMSprop", {"lr": 0.01}),
    "rmsprop-centered": (
        "RMSprop",
        {"lr": 0.005, "alpha": 0.9, "eps": 1e-4, "momentum": 0.5, "centered": True},
    ),
    "adam": ("Adam", {"lr": 0.02}),
    "adam-default": ("Adam", {}),
    "adam-amsgrad": (
        "Adam",
        {"lr": 0.05, "betas": [0.8, 0.9], "eps": 1e-6, "weight_decay": 0.1, "amsgrad": True},
    ),
    "adamw": ("AdamW", {"lr": 0.02}),
    "adamw-strong": ("AdamW", {"lr": 0.05, "betas": [0.8, 0.95], "weight_decay": 0.5}),
    "rprop": ("Rprop", {"lr": 0.01}),
    "rprop-narrow": (
        "Rprop",
        {"lr": 0.05, "etas": [0.4, 1.3], "step_sizes": [1e-3, 0.1]},
    ),
}


def trajectory(name, arguments):
    parameters = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = getattr(torch.optim, name)([parameters], **arguments)
    places = [parameters.tolist()]
    for _ in range(STEPS):
        parameters.grad = torch.tensor(gradient(parameters.tolist()), dtype=torch.float64)
        optimizer.step()
        places.append(parameters.tolist())
    return places


def main():
    torch.set_num_threads(1)
    assert torch.__version__.startswith("2.13.0"), torch.__version__
    for file, (name, arguments) in RUNS.items():
        record = {
            "optimizer": name,
            "arguments": arguments,
            "torch": torch.__version__,
            "trajectory": trajectory(name, arguments),
        }
        text = json.dumps(record, indent=0)
        Path(__file__).with_name(f"{file}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
