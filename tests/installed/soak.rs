//! The long tests of the artefacts. `MAPPR_DIST` names a folder with artefacts; otherwise `cargo xtask dist` makes them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::debian;

/// The user of the image, which no machine has.
const USER: u32 = 65532;

static ARTEFACTS: LazyLock<PathBuf> = LazyLock::new(|| {
    if let Some(set) = std::env::var_os("MAPPR_DIST") {
        return set.into();
    }
    let root = root();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    done(Command::new(cargo).args(["xtask", "dist"]).current_dir(&root));
    let metadata = ["metadata", "--format-version=1", "--no-deps"];
    let told = done(Command::new("cargo").args(metadata).current_dir(&root));
    let metadata: Value = serde_json::from_str(&told).unwrap();
    Path::new(metadata["target_directory"].as_str().unwrap()).join("dist")
});

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The one artefact whose name ends like this.
fn artefact(end: &str) -> PathBuf {
    let entries = fs::read_dir(&*ARTEFACTS).unwrap().map(|entry| entry.unwrap().path());
    let mut found = entries.filter(|path| path.to_string_lossy().ends_with(end));
    found.next().unwrap_or_else(|| panic!("no *{end} in {}", ARTEFACTS.display()))
}

/// What a command prints on stdout. It must succeed.
fn done(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// A command whose processes and mounts end with its first process: they are in namespaces of their own.
fn contained(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]).arg(program);
    command
}

/// README's first command, with the installed program in place of the one that cargo builds.
fn first_example() -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let line = readme.lines().find(|line| line.starts_with("cargo planner rebuild "));
    let line = line.expect("README begins with an example").replace("cargo planner", "topicmappr");
    line.replace("--out-file plan.json", "--out-file /tmp/plan.json")
}

#[test]
#[ignore = "live"]
fn the_debian_package_works_in_a_fresh_debian() {
    let scratch = TempDir::new().unwrap();
    let system = scratch.path().join("debian");
    bootstrap(&system);
    fs::copy(artefact(".deb"), system.join("tmp/topicmappr.deb")).unwrap();
    let run = |script: &str| {
        let mut command = contained("chroot");
        command.arg(&system).args(["/bin/bash", "-c", &format!("set -euo pipefail\n{script}")]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        command.env("DEBIAN_FRONTEND", "noninteractive").env("HOME", "/root");
        done(&mut command)
    };
    run("apt-get update -q");
    run("apt-get install -q -y --no-install-recommends man-db bash-completion");
    // apt, not dpkg: it fetches what the package depends on.
    run("apt-get install -q -y --no-install-recommends /tmp/topicmappr.deb");

    let report = run(&format!("cd /usr/share/doc/topicmappr/examples && {}", first_example()));
    assert!(report.contains("lost: not registered at capture"), "{report}");
    let plan: Value =
        serde_json::from_slice(&fs::read(system.join("tmp/plan.json")).unwrap()).unwrap();
    assert!(!plan["partitions"].as_array().unwrap().is_empty(), "{plan}");

    assert!(run("autothrottle --help").contains("--bootstrap-servers"));
    assert!(run("man topicmappr | cat").contains("TOPICMAPPR"));
    assert!(run("man autothrottle | cat").contains("AUTOTHROTTLE"));
    for (line, expected) in
        [("topicmappr rebu", "rebuild"), ("autothrottle --min-ra", "--min-rate")]
    {
        assert_eq!(completed(&run, line), [expected], "{line}");
    }
    // The services: their users exist, nothing has started them, and their settings are an operator's to keep.
    let kept = run("dpkg-query --show --showformat='${Conffiles}' topicmappr");
    for (service, user) in [("autothrottle", "autothrottle"), ("topicmappr-keep", "topicmappr")] {
        assert!(run(&format!("id {user}")).contains(user));
        let wanted = "etc/systemd/system/multi-user.target.wants";
        assert!(!system.join(wanted).join(format!("{service}.service")).exists());
        assert!(kept.contains(&format!("/etc/default/{service}")), "{kept}");
        let unit = format!("/usr/lib/systemd/system/{service}.service");
        // A grep that ends at its first hit would end man, too.
        let manual = run(&format!("test -f {unit} && man {service} | cat")).to_lowercase();
        assert!(manual.contains(user), "{manual}");
    }
    assert_eq!(run("dpkg --verify topicmappr"), "");
    run("dpkg --purge topicmappr");
    assert!(!system.join("etc/default/autothrottle").exists());
    assert!(!system.join("usr/bin/topicmappr").exists());
}

/// Makes a Debian of this machine's release, from this machine's own source of packages.
fn bootstrap(system: &Path) {
    let tool = debian::unpacked("debootstrap").unwrap();
    let shape = "$(CODENAME) $(COMPONENT) $(REPO_URI)";
    let sources = ["indextargets", "--format", shape, "Created-By: Packages"];
    let sources = done(Command::new("apt-get").args(sources));
    let release = fs::read_to_string("/etc/os-release").unwrap();
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let suite = suite.expect("Debian names its release");
    let start = format!("{suite} main ");
    let source = sources.lines().find_map(|line| line.strip_prefix(&start));
    let source = source.unwrap_or_else(|| panic!("apt has no source of {suite} main"));
    let kept = testbed::cache::folder().join("debootstrap-packages");
    fs::create_dir_all(&kept).unwrap();
    let mut command = contained("sh");
    command.arg(tool.join("usr/sbin/debootstrap")).arg("--variant=minbase");
    command.arg(format!("--cache-dir={}", kept.display()));
    command.arg(suite).arg(system).arg(source.trim_end_matches('/'));
    done(command.env("DEBOOTSTRAP_DIR", tool.join("usr/share/debootstrap")));
}

/// What bash offers for a line, after bash-completion has found the script by the program's name.
fn completed(run: &dyn Fn(&str) -> String, line: &str) -> Vec<String> {
    let (program, word) = line.split_once(' ').unwrap();
    let offered = run(&format!(
        "set +eu; . /usr/share/bash-completion/bash_completion\n\
         _completion_loader {program}\n\
         COMP_WORDS=({program} {word}) COMP_CWORD=1 COMP_LINE='{line}' COMP_POINT=${{#COMP_LINE}}\n\
         function=$(complete -p {program} | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n\
         $function {program} {word} {program}\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\""
    ));
    offered.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "live"]
fn the_image_plans_as_a_container_with_a_read_only_root() {
    let scratch = TempDir::new().unwrap();
    let config = unpack_image(scratch.path());
    let container = Container { folder: scratch.path(), config: &config["config"] };
    let given = scratch.path().join("given");
    let plans = scratch.path().join("plans");
    for folder in [&given, &plans] {
        fs::create_dir(folder).unwrap();
    }
    chown(&plans, Some(USER), Some(USER)).unwrap();
    fs::copy(root().join("fixtures/lost-broker.json"), given.join("now.json")).unwrap();
    fs::copy(root().join("maps/production.yaml"), given.join("maps.yaml")).unwrap();

    let plan = "rebuild --snapshot /given/now.json --maps /given/maps.yaml --out-file";
    let (ended, report) = container.run(&format!("{plan} /plans/plan.json"));
    assert!(ended, "{report}");
    assert!(report.contains("lost: not registered at capture"), "{report}");
    let written = fs::metadata(plans.join("plan.json")).unwrap();
    assert_eq!((written.uid(), written.gid()), (USER, USER));

    let (ended, report) = container.run(&format!("{plan} /plan.json"));
    assert!(!ended, "the root is writable: {report}");
    assert!(report.contains("read-only filesystem"), "{report}");
    // A caller may name another program of the image.
    let daemon =
        Container { config: &json!({"Entrypoint": ["/usr/local/bin/autothrottle"]}), ..container };
    let (ended, report) = daemon.run("--help");
    assert!(ended && report.contains("--bootstrap-servers"), "{report}");
}

#[test]
#[ignore = "live"]
fn the_image_has_no_shell_and_says_what_it_is() {
    let scratch = TempDir::new().unwrap();
    let config = unpack_image(scratch.path());
    assert_eq!(config["config"]["User"], format!("{USER}:{USER}"));
    let labels = &config["config"]["Labels"];
    assert_eq!(labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    let rootfs = scratch.path().join("rootfs");
    let executable = ["-type", "f", "-perm", "/111", "-not", "-name", "*.so*"];
    let found = done(Command::new("find").arg(&rootfs).args(executable));
    let mut programs: Vec<&str> =
        found.lines().filter_map(|line| line.rsplit('/').next()).collect();
    programs.sort_unstable();
    assert_eq!(programs, ["autothrottle", "topicmappr"]);
}

/// A container of the unpacked image.
struct Container<'a> {
    folder: &'a Path,
    /// What the image says about its processes.
    config: &'a Value,
}

impl Container<'_> {
    /// Runs it with these arguments. Returns whether it succeeded, and what it printed.
    fn run(&self, args: &str) -> (bool, String) {
        let entry = self.config["Entrypoint"].as_array().unwrap().iter().cloned();
        let args: Vec<Value> = entry.chain(args.split(' ').map(Value::from)).collect();
        let bind = |name: &str, access: &str| {
            let source = self.folder.join(name);
            json!({"destination": format!("/{name}"), "type": "bind", "source": source, "options": ["bind", access]})
        };
        let namespaces =
            ["pid", "network", "ipc", "uts", "mount"].map(|kind| json!({"type": kind}));
        let config = json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": USER, "gid": USER},
                "args": args,
                "env": ["PATH=/usr/local/bin"],
                "cwd": "/",
                "noNewPrivileges": true,
                "capabilities": {},
            },
            "root": {"path": "rootfs", "readonly": true},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                bind("given", "ro"),
                bind("plans", "rw"),
            ],
            "linux": {"namespaces": namespaces},
        });
        fs::write(self.folder.join("config.json"), config.to_string()).unwrap();
        let mut command = contained(debian::unpacked("runc").unwrap().join("usr/sbin/runc"));
        command.arg("--root").arg(self.folder.join("state"));
        command.args(["run", "--bundle"]).arg(self.folder).arg("topicmappr-test");
        let Output { status, stdout, stderr } = command.output().unwrap();
        let told = [stdout, stderr].concat();
        (status.success(), String::from_utf8_lossy(&told).into_owned())
    }
}

/// Unpacks the image's layers into `rootfs`, after a check of each digest, and returns its configuration.
fn unpack_image(folder: &Path) -> Value {
    let layout = folder.join("layout");
    let rootfs = folder.join("rootfs");
    for folder in [&layout, &rootfs] {
        fs::create_dir(folder).unwrap();
    }
    done(Command::new("tar").arg("-xf").arg(artefact(".oci.tar")).arg("-C").arg(&layout));
    let blob = |described: &Value| {
        let digest = described["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let path = layout.join("blobs/sha256").join(digest);
        let sum = done(Command::new("sha256sum").arg(&path));
        assert!(sum.starts_with(digest), "{digest} is not the sum of {sum}");
        assert_eq!(described["size"], fs::metadata(&path).unwrap().len());
        path
    };
    let read =
        |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let index = read(layout.join("index.json"));
    let manifest = read(blob(&index["manifests"][0]));
    for layer in manifest["layers"].as_array().unwrap() {
        done(Command::new("tar").arg("-xzpf").arg(blob(layer)).arg("-C").arg(&rootfs));
    }
    for place in ["given", "plans"] {
        // Where the test mounts its folders. The image itself has none of them.
        fs::create_dir(rootfs.join(place)).unwrap();
    }
    read(blob(&manifest["config"]))
}
