"""PyTorch: chains of Linear(bias=False) whose outputs are summed, eagerly, with torch.optim.SGD."""

from typing import Any

import torch
from harness import Row, peak_memory

from peers.steps import LR, chains, step_answers, stored


class Parallel(torch.nn.Module):
    def __init__(self, layers: list[list[torch.Tensor]]):
        super().__init__()
        self.chains = torch.nn.ModuleList(
            torch.nn.Sequential(*(linear(W) for W in chain)) for chain in layers
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.chains[0](rows) + self.chains[1](rows)


def linear(W: torch.Tensor) -> torch.nn.Linear:
    layer = torch.nn.Linear(W.shape[1], W.shape[0], bias=False)
    with torch.no_grad():
        layer.weight.copy_(W)
    return layer


def answers(job: Row) -> dict[str, Any]:
    torch.set_num_threads(job["threads"])
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    facts = {
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "versions": {"torch": torch.__version__},
        "imported_mib": peak_memory(),
    }

    def read(name: str) -> torch.Tensor:
        path, (rows, columns) = stored(job, name)
        flat = torch.from_file(path, size=rows * columns, dtype=torch.float32)
        return flat.reshape(rows, columns)

    network = Parallel([[read(name) for name in chain] for chain in chains(job)]).to(device)
    X, Y = (read(name).T.contiguous().to(device) for name in "XY")
    optimiser = torch.optim.SGD(network.parameters(), lr=LR)

    def steps(n: int) -> float:
        for _ in range(n):
            optimiser.zero_grad()
            torch.sum((network(X) - Y) ** 2).backward()
            optimiser.step()
        with (
            torch.no_grad()
        ):  # as racedyn does once per call; reading the number waits for the device
            return float(torch.sum((network(X) - Y) ** 2)) / (2 * X.shape[0])

    def device_mib() -> float | None:
        return torch.cuda.max_memory_allocated() / 2**20 if on_gpu else None

    return step_answers(steps, facts, device_mib)
