"""What the tests of checkpoints share: loading one that must be refused."""

from pathlib import Path

import pytest

from litlab import checkpoint


def refused(path: Path) -> str:
    """Loads a checkpoint that must be refused in one clean line; returns the line."""
    with pytest.raises(ValueError) as caught:
        checkpoint.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert "\x1b" not in message
    assert len(message) < 700
    return message
