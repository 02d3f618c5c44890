//! Certificates for brokers and clients, and an untrusted authority, created by openssl.
//!
//! The keys are elliptic, because such a key takes milliseconds and an RSA key a second. Every leaf has extensions, so
//! it is a version 3 certificate: rustls refuses version 1.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use crate::error::{Error, file};

const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/// Fills `folder` with `ca.crt`, `broker.pem` and `admin.*`, signed by that authority, and with `stranger-ca.crt` and
/// `stranger.*`, signed by the other one.
pub fn write(folder: &Path, hosts: &[Ipv4Addr]) -> Result<(), Error> {
    file(fs::create_dir_all(folder), "create", folder)?;
    authority(folder, "ca", "mappr testbed")?;
    authority(folder, "stranger-ca", "nobody knows me")?;
    let names: String = hosts.iter().map(|host| format!(",IP:{host}")).collect();
    leaf(folder, "ca", "broker", &format!("subjectAltName=DNS:localhost,IP:127.0.0.1{names}"))?;
    leaf(folder, "ca", "admin", "extendedKeyUsage=clientAuth")?;
    leaf(folder, "stranger-ca", "stranger", "extendedKeyUsage=clientAuth")
}

pub(crate) fn authority(folder: &Path, name: &str, subject: &str) -> Result<(), Error> {
    let subject = format!("/CN={subject}");
    let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
    let mut args = vec!["req", "-x509"];
    args.extend(KEY);
    args.extend(["-days", "3650", "-subj", &subject, "-keyout", &key, "-out", &certificate]);
    openssl(folder, &args)
}

/// Another certificate for the brokers' hosts: like `broker.*`, under another name.
pub(crate) fn another(
    folder: &Path,
    authority: &str,
    name: &str,
    subject: &str,
) -> Result<(), Error> {
    let hosts = folder.join("broker.ext");
    let extensions = file(fs::read_to_string(&hosts), "read", &hosts)?;
    leaf_of(folder, authority, (name, subject), extensions.trim())
}

pub(crate) fn leaf(
    folder: &Path,
    authority: &str,
    name: &str,
    extensions: &str,
) -> Result<(), Error> {
    leaf_of(folder, authority, (name, name), extensions)
}

pub(crate) fn leaf_of(
    folder: &Path,
    authority: &str,
    (name, subject): (&str, &str),
    extensions: &str,
) -> Result<(), Error> {
    let [key, request, certificate, ext, pem] =
        ["key", "csr", "crt", "ext", "pem"].map(|end| format!("{name}.{end}"));
    let (ca, ca_key) = (format!("{authority}.crt"), format!("{authority}.key"));
    let subject = format!("/CN={subject}");
    file(fs::write(folder.join(&ext), format!("{extensions}\n")), "write", folder.join(&ext))?;

    let mut args = vec!["req"];
    args.extend(KEY);
    args.extend(["-subj", &subject, "-keyout", &key, "-out", &request]);
    openssl(folder, &args)?;
    let days = ["-CAcreateserial", "-days", "3650", "-extfile", &ext, "-out", &certificate];
    let mut args = vec!["x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key];
    args.extend(days);
    openssl(folder, &args)?;

    // Kafka's PEM store: the key, then the chain up to the authority.
    let mut chain = String::new();
    for part in [&key, &certificate, &ca] {
        let path = folder.join(part);
        chain += &file(fs::read_to_string(&path), "read", &path)?;
    }
    file(fs::write(folder.join(&pem), chain), "write", folder.join(&pem))
}

pub(crate) fn openssl(folder: &Path, args: &[&str]) -> Result<(), Error> {
    let out =
        Command::new("openssl").args(args).current_dir(folder).output().map_err(|source| {
            Error::Missing { program: "openssl".into(), package: "openssl", source }
        })?;
    if out.status.success() {
        return Ok(());
    }
    Err(Error::Tool {
        tool: "openssl".into(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        status: out.status.to_string(),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    })
}
