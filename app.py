"""The page: ``python app.py [--workspace DIR] [--host H] [--port P] [--demo] [--auth USER:PASSWORD]``.

On a Hugging Face Space the same file is the ``app_file``, which the Space runs as it is: host and port come from the
environment, the workspace from the attached volume.
"""

from __future__ import annotations

import argparse
import os
import sys

from workbench.errors import WorkbenchError


def read_arguments(words: list[str]) -> argparse.Namespace:
    """The command line, with what the environment says as defaults."""
    parser = argparse.ArgumentParser(description="The workbench's page.")
    parser.add_argument("--workspace", help="the folder that holds everything (default: ./workspace)")
    parser.add_argument(
        "--host", default=os.environ.get("GRADIO_SERVER_NAME") or default_host(), help="address to listen on"
    )
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT") or 7860))
    parser.add_argument("--demo", action="store_true", help="open with the demo collection and its first run started")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="ask visitors for this name and password")
    return parser.parse_args(words)


def default_host() -> str:
    """Loopback, so that only this machine reaches the page; a Space listens for its proxy."""
    return "0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1"


def main(words: list[str] | None = None) -> int:
    """Open the page and serve it until it is stopped. Returns the exit code."""
    arguments = read_arguments(sys.argv[1:] if words is None else words)
    from workbench.ui.launch import serve

    try:
        serve(arguments.workspace, arguments.host, arguments.port, auth=arguments.auth, with_demo=arguments.demo)
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
