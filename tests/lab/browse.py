"""Opens pages in a headless Chromium, through its debugging pipe, and says what is to be said of each: one JSON object a line.

    browse.py AXE_JS SHOTS < JOBS

A job is a line of JSON: {"name", "url", "width", "height", "dark", "script"}. The answer has its name, what axe-core objects to,
what the page logged, which of its requests went elsewhere, and what the script, an expression, comes to. SHOTS is a folder for
pictures of whole pages, or empty.

A debugging pipe needs no module beyond Python's own, and what it evaluates is not stopped by a page's Content-Security-Policy.
"""
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlsplit

WAIT_S = 60
AXE_RUN = """
axe.run(document, { resultTypes: ["violations"] }).then((found) => JSON.stringify(found.violations.map((one) => ({
    rule: one.id, impact: one.impact, help: one.help,
    nodes: one.nodes.slice(0, 5).map((node) => node.html.slice(0, 300) + " :: " + node.failureSummary.slice(0, 400)),
}))))
"""


class Browser:
    """A Chromium that is talked to by messages that end with a zero byte."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        their_in, self.out = os.pipe()
        self.into, their_out = os.pipe()

        def place():
            # Both are moved out of the way first: one may be where the other belongs.
            first, second = os.dup(their_in), os.dup(their_out)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self.child = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
             "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--user-data-dir=" + self.folder.name, "about:blank"],
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, close_fds=False, preexec_fn=place)
        os.close(their_in)
        os.close(their_out)
        self.number, self.rest, self.events = 0, b"", []

    def close(self):
        self.child.kill()
        self.child.wait()

    def message(self, until):
        while b"\0" not in self.rest:
            if time.monotonic() > until:
                raise TimeoutError("the browser does not answer")
            more = os.read(self.into, 1 << 20)
            if not more:
                raise EOFError("the browser ended")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + WAIT_S
        while True:
            got = self.message(until)
            if got.get("id") == self.number:
                if "error" in got:
                    raise RuntimeError("%s: %s" % (method, got["error"]))
                return got["result"]
            if "method" in got:
                self.events.append(got)

    def wait_for(self, method, session):
        until = time.monotonic() + WAIT_S
        while True:
            for event in self.events:
                if event["method"] == method and event.get("sessionId") == session:
                    return
            got = self.message(until)
            if "method" in got:
                self.events.append(got)


class Page:
    """A tab."""

    def __init__(self, browser, job):
        self.browser, self.job = browser, job
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.target = target
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Log", "Runtime", "Network"]:
            self.call(domain + ".enable")
        width, height = job.get("width", 1280), job.get("height", 900)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        scheme = "dark" if job.get("dark") else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.events = []
        self.call("Page.navigate", url=job["url"])
        browser.wait_for("Page.loadEventFired", self.session)

    def call(self, method, **parameters):
        return self.browser.call(method, session=self.session, **parameters)

    def evaluate(self, expression):
        got = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in got:
            raise RuntimeError(json.dumps(got["exceptionDetails"])[:2000])
        return got["result"].get("value")

    def picture(self, folder):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        with open(os.path.join(folder, self.job["name"] + ".png"), "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def said(self):
        """What the page logged, and requests that went to another host."""
        own = urlsplit(self.job["url"]).netloc
        logged, elsewhere = [], []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            parameters = event["params"]
            if event["method"] == "Log.entryAdded":
                logged.append(parameters["entry"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled":
                logged.append(json.dumps([argument.get("value") for argument in parameters["args"]]))
            elif event["method"] == "Runtime.exceptionThrown":
                logged.append(json.dumps(parameters["exceptionDetails"])[:500])
            elif event["method"] == "Page.javascriptDialogOpening":
                logged.append("a dialog opened")
            elif event["method"] == "Network.requestWillBeSent":
                url = parameters["request"]["url"]
                if urlsplit(url).netloc not in ("", own) and not url.startswith("data:"):
                    elsewhere.append(url)
        return logged, elsewhere

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)


def main():
    axe_path, shots = sys.argv[1], sys.argv[2]
    axe = ""
    if axe_path:
        with open(axe_path) as file:
            axe = file.read()
    browser = Browser()
    try:
        for line in sys.stdin:
            job = json.loads(line)
            page = Page(browser, job)
            answer = {"name": job["name"]}
            if "script" in job:
                answer["script"] = page.evaluate(job["script"])
            if shots:
                page.picture(shots)
            if axe:
                page.evaluate(axe + "\n;0")
                answer["violations"] = json.loads(page.evaluate(AXE_RUN))
            answer["logged"], answer["elsewhere"] = page.said()
            page.close()
            print(json.dumps(answer), flush=True)
    finally:
        browser.close()


if __name__ == "__main__":
    main()
