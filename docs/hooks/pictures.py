"""Makes the pictures of the README and the documentation from `cardioseg demo`.

    python docs/hooks/pictures.py        (or: make pictures)

Needs Chromium for screenshots. The picture of the synthetic heart is ours; no patient is shown.
Each JPEG carries the hash of the model's weights in its comment, which a test compares with the
model that ships.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

IMAGES = Path(__file__).parents[1] / "images"
CARDIOSEG = Path(sys.executable).with_name("cardioseg")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # runs as root in containers
    "--disable-dev-shm-usage",
    "--use-gl=angle",
    "--use-angle=swiftshader",  # WebGL without a GPU
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--virtual-time-budget=20000",  # ms of page time before the screenshot
)
SLICE = 4  # mid-ventricular in the demo's heart
QUALITY = 88


def main() -> None:
    """Run the demo and write the pictures."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"install one of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "demo"
        call(CARDIOSEG, "demo", "--output", folder, "--quiet")
        call(CARDIOSEG, "view", folder / "heart", "--slice", SLICE, "--quiet")
        call(CARDIOSEG, "view", folder / "heart", "--ponder", folder / "ponder.png", "--quiet")
        screenshot(browser, folder / "heart_view.html", folder / "view.png", size=(1280, 720))
        screenshot(browser, folder / "heart_report.html", folder / "report.png", size=(1060, 1500))
        record = json.loads((folder / "heart_run.json").read_text(encoding="utf-8"))
        weights = record["recipe"]["model_sha256"]
        save(folder / "view.png", IMAGES / "view.jpg", weights=weights)
        save(folder / "report.png", IMAGES / "report.jpg", weights=weights)
        save(folder / "ponder.png", IMAGES / "ponder.jpg", weights=weights)
        save(folder / "heart_preview.png", IMAGES / "maps.jpg", weights=weights)


def call(*command: object) -> None:
    """Run a command; a failure ends the script."""
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def screenshot(browser: str, page: Path, picture: Path, *, size: tuple[int, int]) -> None:
    """Take a picture of a page.

    Args:
        browser: path of the Chromium executable.
        page: HTML file.
        picture: PNG file to write.
        size: width and height of the window in pixels.
    """
    window = f"--window-size={size[0]},{size[1]}"
    call(browser, *SWITCHES, window, f"--screenshot={picture}", page.resolve().as_uri())


def save(source: Path, target: Path, *, weights: str) -> None:
    """Save a picture as JPEG, with the hash of the weights as its comment."""
    with Image.open(source) as image:
        image.convert("RGB").save(
            target, quality=QUALITY, optimize=True, comment=f"weights {weights}".encode()
        )
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main()
