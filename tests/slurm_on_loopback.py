"""A real Slurm of one node, this machine, for tests: its two daemons on ports of their own."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

COMMANDS = ("slurmctld", "slurmd", "sinfo", "sbatch", "srun", "squeue", "scancel")
WAITS = 60  # seconds for the node to be idle
SBIN = "/usr/sbin:/sbin"
CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller}
SlurmdPort={daemon}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=2
SchedulerParameters=sched_interval=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str:
    """Why it can't run here; "" where it can."""
    missing = [name for name in COMMANDS if _which(name) is None]
    if missing:
        return f"Slurm's {', '.join(missing)} are not installed"
    return "" if os.geteuid() == 0 else "Slurm's daemons start as root alone"


@contextlib.contextmanager
def slurm(folder: Path, cpus: int = 2) -> Iterator[Path]:
    """Start both daemons, wait until the node is idle, give the configuration, which is to be in
    SLURM_CONF, and end both whatever happens.
    """
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    controller, daemon = _free_ports(2)
    host, conf = socket.gethostname().partition(".")[0], folder / "slurm.conf"
    conf.write_text(
        CONF.format(folder=folder, host=host, controller=controller, daemon=daemon, cpus=cpus)
    )
    with contextlib.ExitStack() as stack:
        for words in (["slurmctld", "-i"], ["slurmd", "-N", host]):
            process = stack.enter_context(_started(folder, words, conf))
            assert process.poll() is None
        _wait_for_idle(conf, folder)
        yield conf


@contextlib.contextmanager
def _started(folder: Path, words: list[str], conf: Path) -> Iterator[subprocess.Popen]:
    with open(folder / f"{words[0]}.out", "wb") as out:
        line = [_which(words[0]), "-D", "-f", str(conf), *words[1:]]
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_idle(conf: Path, folder: Path) -> None:
    end = time.monotonic() + WAITS
    while time.monotonic() < end:
        asked = subprocess.run(
            ["sinfo", "--noheader", "--format=%t"],
            capture_output=True,
            text=True,
            env=os.environ | {"SLURM_CONF": str(conf)},
        )
        if asked.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    logs = [path.read_text(errors="replace")[-1500:] for path in sorted(folder.glob("*.log"))]
    raise TimeoutError("\n".join([f"the node is not idle: {asked.stdout}{asked.stderr}", *logs]))


def _which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}")


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
