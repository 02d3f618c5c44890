//! A real headless browser: Chromium, controlled through a pipe in its own protocol (JSON that ends with a zero byte).

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use testbed::until;

use crate::traffic::SOON;

/// The folder of the pictures that are asked for.
const PICTURES: &str = "MAPPR_PICTURES";
/// The names of the installed program.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A browser with one tab.
pub(crate) struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    session: Option<String>,
    sent: u64,
    _folder: tempfile::TempDir,
}

fn program() -> PathBuf {
    if let Some(named) = env::var_os("CHROMIUM") {
        return named.into();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let all = env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    all.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("no Chromium (CHROMIUM, or PATH): apt-get install chromium");
    })
}

impl Browser {
    /// Opens a page in a window of this size, dark or light.
    pub(crate) fn open(url: &str, (width, height): (u32, u32), scheme: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipes = ["in", "out"].map(|name| folder.path().join(name));
        assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        let flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"];
        let child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<in 4>out", "sh"])
            .arg(program())
            .args(flags)
            .args([profile.as_str(), "--disable-dev-shm-usage", "about:blank"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The shell opens them in this order, and each end waits for the other.
        let to = File::options().write(true).open(&pipes[0]).unwrap();
        let from = BufReader::new(File::open(&pipes[1]).unwrap());
        let mut browser = Self { child, to, from, session: None, sent: 0, _folder: folder };
        let tab = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": tab["targetId"], "flatten": true});
        let attached = browser.ask("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        browser.ask("Emulation.setDeviceMetricsOverride", size);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.ask("Emulation.setEmulatedMedia", features);
        browser.ask("Page.navigate", json!({"url": url}));
        browser
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut answer = Vec::new();
            self.from.read_until(0, &mut answer).unwrap();
            answer.pop();
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["id"] == self.sent {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The value of a script in the page.
    pub(crate) fn run(&mut self, script: &str) -> Value {
        let params = json!({"expression": script, "returnByValue": true, "awaitPromise": true});
        let result = self.ask("Runtime.evaluate", params);
        assert!(result.get("exceptionDetails").is_none(), "{script}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until the page shows these words.
    #[track_caller]
    pub(crate) fn await_words(&mut self, words: &str) {
        let shown = |browser: &mut Self| {
            browser.run("document.body?.innerText ?? ''").as_str().unwrap_or_default().to_owned()
        };
        let seen = until(format!("{words:?} on the page"), SOON, || {
            shown(self).contains(words).then_some(())
        });
        seen.unwrap_or_else(|why| panic!("{why}\n{}", shown(self)));
    }

    /// Whether the page fits the width of its window.
    pub(crate) fn fits(&mut self) -> bool {
        self.run("document.documentElement.scrollWidth <= window.innerWidth") == true
    }

    /// A picture of the page for `docs`, on request.
    pub(crate) fn picture_for_docs(&mut self, name: &str) {
        let Some(folder) = env::var_os(PICTURES) else { return };
        let path = Path::new(&folder).join(name);
        let shot = self.ask("Page.captureScreenshot", json!({"format": "png"}));
        fs::write(path, STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()).unwrap();
    }
}

/// Pictures of a page for `docs`, on request: wide in light mode, and narrow (a phone) in dark mode.
pub(crate) fn pictures(name: &str, url: &str, words: &str) {
    if env::var_os(PICTURES).is_none() {
        return;
    }
    for (suffix, size, scheme) in [("", (1200, 900), "light"), ("-phone", (390, 844), "dark")] {
        let mut page = Browser::open(url, size, scheme);
        page.await_words(words);
        page.picture_for_docs(&format!("{name}{suffix}.png"));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
