"""Pages under test: read as text, or opened in headless Chromium that records its requests."""

import base64
import io
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DRIVER = shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"
)
SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root, in a container
    "--disable-dev-shm-usage",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


class Page(HTMLParser):
    """Every address a page mentions in an attribute, its text, and its scripts."""

    def __init__(self, path):
        super().__init__()
        self.addresses, self.text, self.scripts, self.inside = [], [], {}, None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        self.addresses += [
            value for name, value in attrs if name in ("src", "href", "action", "srcset", "poster")
        ]
        self.inside = facts.get("id", tag) if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self.inside = None if tag in ("script", "style") else self.inside

    def handle_data(self, data):
        if self.inside is None:
            self.text.append(data)
        else:
            self.scripts[self.inside] = self.scripts.get(self.inside, "") + data


class Browser:
    """One window; ``open`` a page, then look at it."""

    def __init__(self, *, size=(1280, 800)):
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for switch in (*SWITCHES, f"--window-size={size[0]},{size[1]}"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        self.driver.set_script_timeout(60)

    def open(self, path: Path, *, scheme="light", size=None):
        """Open a file by its file:// address and wait until its script is ready."""
        from selenium.webdriver.support.ui import WebDriverWait

        if size:
            self.command(
                "Emulation.setDeviceMetricsOverride",
                width=size[0],
                height=size[1],
                deviceScaleFactor=1,
                mobile=False,
            )
        self.command(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self.driver.get(path.resolve().as_uri())
        finished = (
            "return document.readyState === 'complete' && document.body.dataset.state !== 'loading'"
        )
        WebDriverWait(self.driver, 60).until(lambda driver: driver.execute_script(finished))

    def command(self, name: str, **parameters):
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def run(self, script: str, *arguments):
        """What ``script`` returns in the page."""
        return self.driver.execute_script(script, *arguments)

    def picture(self, path: Path | None = None) -> np.ndarray:
        """The window as (height, width, 3)."""
        png = base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"])
        if path:
            path.write_bytes(png)
        with Image.open(io.BytesIO(png)) as image:
            return np.asarray(image.convert("RGB")).astype(int)

    def pdf(self, path: Path) -> Path:
        """The page as it is printed."""
        printed = self.command("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        path.write_bytes(base64.b64decode(printed["data"]))
        return path

    def console(self) -> list[str]:
        """Lines of the console since the last call."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses that were asked for since the last call, data: and blob: apart."""
        events = [
            json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")
        ]
        asked = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [address for address in asked if not address.startswith(("data:", "blob:"))]

    def close(self):
        """End the browser and its driver."""
        self.driver.quit()
