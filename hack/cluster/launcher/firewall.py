"""Removing the packet filter rules that kube-proxy and CNI plugins leave behind, and no others.

What to remove is decided from the text of iptables-save (format of iptables 1.8, both variants) and given back as input
for `iptables-restore --noflush`, which applies it per table as a whole.
"""

import shlex
import shutil
import subprocess
from itertools import pairwise

from .progress import ClusterError

OWN_CHAINS = ("KUBE-", "CNI-")
FAMILIES = {"iptables": "ip", "ip6tables": "ip6"}  # command → protocol, as nft calls it


def removal(saved: str) -> str:
    """Input for `iptables-restore --noflush` that deletes our chains and the rules leading to them; "" without any.

    Rules of others, also those between ours, stay as they are and in their order.
    """
    result: list[str] = []
    table = ""
    chains: list[str] = []
    jumps: list[str] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            table, chains, jumps = line, [], []
        elif line.startswith(":"):
            chain = line[1:].split()[0]
            if chain.startswith(OWN_CHAINS):
                chains.append(chain)
        elif line.startswith("-A "):
            if not line.split()[1].startswith(OWN_CHAINS) and _target(line).startswith(OWN_CHAINS):
                jumps.append("-D" + line[2:])
        elif line == "COMMIT" and (chains or jumps):
            # All are emptied before the first is deleted: they refer to each other.
            result += [table, *jumps, *(f"-F {chain}" for chain in chains), *(f"-X {chain}" for chain in chains), line]
    return "".join(f"{line}\n" for line in result)


def _target(rule: str) -> str:
    words = shlex.split(rule)  # a comment is one word, whatever it says
    for option, value in pairwise(words):
        if option in ("-j", "-g", "--jump", "--goto"):
            return value
    return ""


def in_use() -> bool:
    """Whether chains of Kubernetes or of CNI plugins exist."""
    return any(removal(_save(family)) for family in FAMILIES)


def tables() -> list[str]:
    """The tables that exist now, as nft calls them ("ip nat"); empty where nft is missing."""
    if shutil.which("nft") is None:
        return []
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False).stdout
    return [line.removeprefix("table ") for line in listed.splitlines()]


def empty_tables(saved: str) -> list[str]:
    """The tables in the output of iptables-save that do nothing: no rules, no own chains, every policy ACCEPT."""
    result: list[str] = []
    table = ""
    does_nothing = True
    for line in saved.splitlines():
        if line.startswith("*"):
            table, does_nothing = line[1:], True
        elif line.startswith(":"):
            does_nothing &= line.split()[1] == "ACCEPT"
        elif line.startswith("-A "):
            does_nothing = False
        elif line == "COMMIT" and does_nothing:
            result.append(table)
    return result


def clean(tables_before: list[str]) -> None:
    """Removes our chains, and the tables that are not among `tables_before` and do nothing any more.

    Raises ClusterError when the removal fails.
    """
    for family, protocol in FAMILIES.items():
        rules = removal(_save(family))
        if rules:
            command = [f"{family}-restore", "--noflush", "-w", "10"]
            ended = subprocess.run(command, input=rules, capture_output=True, text=True, check=False)
            if ended.returncode != 0:
                raise ClusterError(f"`{' '.join(command)}` did not remove the cluster's rules: {ended.stderr.strip()}")
        now = tables()
        for table in empty_tables(_save(family)):
            name = f"{protocol} {table}"
            if name not in tables_before and name in now:
                subprocess.run(["nft", "delete", "table", protocol, table], capture_output=True, check=False)


def _save(family: str) -> str:
    """Empty where the kernel or the machine has no such packet filter: then nothing of ours is in it."""
    try:
        return subprocess.run([f"{family}-save"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""
