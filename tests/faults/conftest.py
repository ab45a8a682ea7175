import pytest
from faults.harness import TABLE


@pytest.fixture(scope="session", autouse=True)
def table():
    """Prints at the end what became of all the faults."""
    yield
    lines = [f"{'fault':44} {'times':>6} {'survived':>9} {'lost':>5}"]
    for fault, seen in TABLE.items():
        lines.append(f"{fault:44} {seen.total():6} {seen[True]:9} {seen[False]:5}")
    if TABLE:
        print("\n\n" + "\n".join(lines))
