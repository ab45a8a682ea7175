"""`demo=true`: a page in the browser on which to try a network."""

import os
import socket
import tempfile
from pathlib import Path

from litlab.checkpoint import Trained
from litlab.config import Run
from litlab.console import console, printable
from litlab.errors import ConfigError, Terminated, one_line
from litlab.figures import as_png, as_uint8
from litlab.prediction.calibrate import calibrated
from litlab.prediction.data import data_module
from litlab.prediction.explain import check_explain
from litlab.prediction.settings import device, print_network

FIRST_PORT, PORTS = 7860, 100
EXAMPLES = 10


def demo(trained: Trained, run: Run) -> None:
    """Serves the page until Ctrl-C. What is uploaded lies in a folder that is deleted then.

    Raises:
        ConfigError: for a wrong setting, if Gradio is missing, or if the port is taken.
    """
    host, port, on = str(run.cfg.host), free_port(str(run.cfg.host), run.cfg.port), device(run)
    explains = check_explain(trained, run)
    print_network(trained)
    trained = calibrated(trained, run)
    with tempfile.TemporaryDirectory(prefix="litlab-demo-") as folder:
        # Gradio reads these when it is imported. It asks its makers' server for news otherwise.
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": folder}
        try:
            from litlab.prediction import demo_page
        except ImportError as error:
            raise ConfigError(f"demo=true needs {error.name}: pip install 'litlab[demo]'") from error
        uploads = Path(folder)
        examples = write_examples(trained, run, uploads)
        page = demo_page.build_page(trained, on, run.cfg.invert, explains, uploads, examples)
        try:
            with demo_page.served(page, host, port):
                address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
                console.print(f"the page is at {address} until you press Ctrl-C", markup=False)
                demo_page.wait()
        except (KeyboardInterrupt, Terminated):
            console.print("the page is closed, uploads are deleted", markup=False)


def free_port(host: str, wanted: int | None) -> int:
    """The port of the page.

    Args:
        host: the address at which it is to answer.
        wanted: null for the first free one from 7860 on.

    Raises:
        ConfigError: if it is taken, or if this machine has no such address.
    """
    if wanted is not None and not (isinstance(wanted, int) and 1 <= wanted <= 65535):
        raise ConfigError(f"port={wanted}: must be a whole number from 1 to 65535, or null")
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        raise ConfigError(f"host={host}: is no address of this machine; try 127.0.0.1 or 0.0.0.0") from None
    reason = ""
    for port in range(FIRST_PORT, FIRST_PORT + PORTS) if wanted is None else [wanted]:
        try:
            with socket.create_server((host, port)):
                return port
        except OSError as error:
            reason = os.strerror(error.errno or 0)
    setting = f"port={wanted}" if wanted else f"host={host}"
    raise ConfigError(f"{setting}: {reason}; port=null takes the first free one from {FIRST_PORT} on")


def write_examples(trained: Trained, run: Run, folder: Path) -> list[Path]:
    """Writes a few validation images, from all over that set, as PNG files; none if the data set is not here."""
    try:
        data, _ = data_module(trained, run)
        data.setup("test")
        images = data.evaluation_set("val") or data.evaluation_set("test")
        count = min(EXAMPLES, len(images))
        images, _ = images.__getitems__([number * len(images) // count for number in range(count)])
        pixels = as_uint8(images, data.mean, data.std)
    except Exception as error:  # of any kind: the data set is not here, or was changed; the page works without it
        console.print(f"no examples: {printable(one_line(error))}", markup=False, soft_wrap=True)
        return []
    files = [folder / f"example_{number}.png" for number in range(count)]
    for file, image in zip(files, pixels, strict=True):
        file.write_bytes(as_png(image))
    return files
