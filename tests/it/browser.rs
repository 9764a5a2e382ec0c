//! Pages as people see them: a real Chromium, without a window and without a network.

use resvg::tiny_skia::Pixmap;
use std::collections::HashSet;
use std::path::Path;

/// What a browser made of a page.
pub(crate) struct Shown {
    /// The document after it was laid out.
    pub dom: String,
    /// The window's pixels.
    pub picture: Pixmap,
    /// What the page complained of.
    pub console: Vec<String>,
}

impl Shown {
    /// Different colours in the picture: a page that was not drawn has a few.
    pub(crate) fn colours(&self) -> usize {
        let pixels = self.picture.pixels().iter();
        pixels
            .map(|pixel| (pixel.red(), pixel.green(), pixel.blue()))
            .collect::<HashSet<_>>()
            .len()
    }
}

/// Opens a file in a window of 1200 × 2000 pixels, in the dark if asked to.
pub(crate) fn open(path: &Path, dark: bool) -> Shown {
    open_url(&format!("file://{}", path.display()), (1200, 2000), dark)
}

/// Opens a page of this machine; no other host has a name or an address.
pub(crate) fn open_url(url: &str, (width, height): (u32, u32), dark: bool) -> Shown {
    let folder = tempfile::tempdir().unwrap();
    let run = |what: &str| {
        let scheme = if dark { "0" } else { "1" };
        let output = crate::lab::program("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .arg(format!("--window-size={width},{height}"))
            // Virtual time would stand still while a page holds its stream of events open.
            .args(["--enable-logging=stderr", "--timeout=5000"])
            .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg(what)
            .arg(url)
            .current_dir(folder.path())
            .output()
            .expect("chromium starts");
        let words = mailpulse_parsers::harmless::safe_text(&output.stderr).to_string();
        assert!(output.status.success(), "{words}");
        (output.stdout, words)
    };
    let (dom, words) = run("--dump-dom");
    let shot = folder.path().join("shot.png");
    run(&format!("--screenshot={}", shot.display()));
    Shown {
        dom: String::from_utf8(dom).expect("UTF-8"),
        picture: Pixmap::load_png(&shot).expect("a picture"),
        console: words
            .lines()
            .filter(|line| line.contains("CONSOLE") || line.contains("ERR_"))
            .map(str::to_owned)
            .collect(),
    }
}
