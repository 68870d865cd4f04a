import resource
import subprocess
import sys

import pytest

# Takes and frees 64 MB twenty times over, and prints how often the system had to supply a page.
CHURN = """
import resource, torch
{before}
def churn():
    for _ in range(20):
        torch.zeros(16 * 2**20)
churn()
start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
churn()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start)
"""
KEEP = "from lexel.runtimes.allocator import keep_freed_memory; keep_freed_memory()"


def _page_faults(before: str) -> int:
    command = [sys.executable, "-c", CHURN.format(before=before)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_memory_is_used_again_without_new_pages():
    pages_of_one_block = 64 * 2**20 // resource.getpagesize()
    assert _page_faults("") > pages_of_one_block / 512  # huge pages at the most
    assert _page_faults(KEEP) < 20
