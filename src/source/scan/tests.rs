//! Folders, globs, links and names, on a real file system.

use std::ffi::OsStr;
use std::fs::{self, create_dir_all, hard_link, write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::super::unpack::tests::gz;
use super::super::{Codec, Content, Limits, SourceError};
use super::{Scan, Skipped, scan};

fn scan_one(path: impl AsRef<Path>) -> Scan {
    scan(&[path.as_ref().to_owned()], &Limits::default())
}

/// Family by family, `stem: file file`.
fn names(scan: &Scan) -> Vec<String> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files = |files: &[super::Found]| files.iter().map(|file| name(&file.path)).collect::<Vec<_>>().join(" ");
    scan.families
        .iter()
        .map(|family| format!("{}: {}", name(&family.stem), files(&family.files)))
        .collect()
}

fn folder_of(files: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for file in files {
        let path = folder.path().join(file);
        create_dir_all(path.parent().unwrap()).unwrap();
        write(path, format!("{file}\n")).unwrap();
    }
    folder
}

fn file_count(scan: &Scan) -> usize {
    scan.families.iter().map(|family| family.files.len()).sum()
}

#[test]
fn generations_come_oldest_first_and_only_from_one_folder() {
    let folder = folder_of(&[
        "mainlog",
        "mainlog.1",
        "mainlog.10.gz",
        "mainlog.2.gz",
        "mainlog-20180606.gz",
        "mainlog-20180605.gz",
        "main-20180607.log",
        "main-20180606.log",
        "other/mainlog",
        ".mainlog.swp",
        "README",
        "rejectlog",
    ]);
    let scan = scan_one(folder.path());
    assert!(scan.errors.is_empty(), "{:?}", scan.errors);
    assert_eq!(
        names(&scan),
        [
            "main.log: main-20180606.log main-20180607.log",
            "mainlog: mainlog-20180605.gz mainlog-20180606.gz mainlog.10.gz mainlog.2.gz mainlog.1 mainlog",
            "mainlog: mainlog",
            "rejectlog: rejectlog",
        ]
    );
    assert_eq!(file_count(&scan), 10);
    assert!(
        scan.families
            .iter()
            .all(|family| family.files.iter().all(|file| file.size > 0))
    );
}

#[test]
fn globs_match_as_in_a_shell() {
    let folder = folder_of(&[
        "a/mainlog",
        "a/mainlog.1",
        "b/mainlog",
        "b/c/mainlog",
        "b/.mainlog",
        "b/odd[1].txt",
    ]);
    let count = |pattern: &str| {
        let scan = scan_one(folder.path().join(pattern));
        (file_count(&scan), scan.errors.len())
    };
    assert_eq!(count("a/mainlog*"), (2, 0));
    assert_eq!(count("*/mainlog"), (2, 0));
    assert_eq!(count("**/mainlog"), (3, 0));
    assert_eq!(count("b/**"), (3, 0), "hidden names only when they are asked for");
    assert_eq!(count("b/.main*"), (1, 0));
    assert_eq!(count("[ab]"), (4, 0), "a folder that matches is searched");
    assert_eq!(count("b/odd[1].txt"), (1, 0), "a name that exists comes before a glob");
    assert_eq!(count("nothing*"), (0, 1));
    assert_eq!(count("a/[z"), (0, 1));
    assert_eq!(count("*/../mainlog"), (0, 1));
}

#[test]
fn one_file_under_many_names_is_taken_once() {
    let folder = folder_of(&["real/mainlog"]);
    let at = |name: &str| folder.path().join(name);
    hard_link(at("real/mainlog"), at("real/mainlog.1")).unwrap();
    symlink("real/mainlog", at("a.log")).unwrap();
    let scan = scan(
        &[at("a.log"), at("."), at("real"), at("real/mainlog")],
        &Limits::default(),
    );
    assert_eq!(names(&scan), ["mainlog: mainlog"]);
    assert_eq!(scan.skipped.len(), 2, "{:?}", scan.skipped);
    assert!(scan.errors.is_empty(), "{:?}", scan.errors);
    assert!(
        scan.skipped
            .iter()
            .all(|skipped| matches!(skipped, Skipped::SameFile { .. }))
    );
}

#[test]
fn one_folder_under_two_names_is_one_folder() {
    let folder = folder_of(&["real/mainlog", "real/mainlog.1"]);
    symlink("real", folder.path().join("link")).unwrap();
    let paths = ["link/mainlog.1", "real/mainlog"].map(|name| folder.path().join(name));
    assert_eq!(names(&scan(&paths, &Limits::default())), ["mainlog: mainlog.1 mainlog"]);
}

#[test]
fn links_in_a_circle_end() {
    let folder = folder_of(&["logs/mainlog"]);
    let at = |name: &str| folder.path().join(name);
    symlink("..", at("logs/up")).unwrap();
    symlink("self.log", at("self.log")).unwrap();
    symlink("gone", at("dangling.log")).unwrap();
    let scanned = scan_one(folder.path());
    assert_eq!(names(&scanned), ["mainlog: mainlog"]);
    assert_eq!(scanned.errors.len(), 2, "{:?}", scanned.errors);
    assert_eq!(file_count(&scan_one(folder.path().join("**/mainlog"))), 1);
    assert_eq!(file_count(&scan_one(folder.path().join("*/*/*/*"))), 1);
}

#[test]
fn fifos_and_sockets_are_never_opened() {
    let folder = folder_of(&["mainlog"]);
    let fifo = folder.path().join("fifo.log");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _socket = UnixListener::bind(folder.path().join("socket.log")).unwrap();
    for paths in [folder.path().to_owned(), folder.path().join("*")] {
        let scan = scan_one(paths);
        assert_eq!(
            (file_count(&scan), scan.errors.len(), scan.skipped.len()),
            (1, 0, 2),
            "{scan:?}"
        );
    }
    let named = scan(&[fifo.clone(), PathBuf::from("/dev/null")], &Limits::default());
    let texts: Vec<String> = named.errors.iter().map(ToString::to_string).collect();
    assert!(
        texts[0].contains("is a FIFO") && texts[1].contains("is a device"),
        "{texts:?}"
    );
    assert!(matches!(
        Content::open(&fifo, &Limits::default()),
        Err(SourceError::NotAFile { .. })
    ));
}

#[test]
fn names_that_are_no_utf8_work_everywhere() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(OsStr::from_bytes(b"mainlog-\xff\xfe.log"));
    write(&path, gz(b"line\n")).unwrap();
    for argument in [
        path.clone(),
        folder.path().to_owned(),
        folder.path().join("main*"),
        folder.path().join("**"),
    ] {
        let scan = scan_one(&argument);
        assert_eq!(scan.families[0].files[0].path, path);
        assert_eq!(scan.families[0].files[0].codec, Codec::Gzip);
    }
    let error = SourceError::Missing { path };
    assert!(error.to_string().contains(r"mainlog-\xFF\xFE.log"), "{error}");
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_goes_on() {
    let folder = folder_of(&["a/mainlog", "b/mainlog", "empty/README", "zip/mail.log"]);
    let at = |name: &str| folder.path().join(name);
    write(at("zip/mail.log"), b"PK\x03\x04").unwrap();
    fs::set_permissions(at("b/mainlog"), fs::Permissions::from_mode(0o0)).unwrap();
    let is_root = fs::File::open(at("b/mainlog")).is_ok();
    let scan = scan(
        &[at("none"), at("b"), at("empty"), at("zip"), at("a")],
        &Limits::default(),
    );
    let texts: Vec<String> = scan.errors.iter().map(ToString::to_string).collect();
    assert_eq!(file_count(&scan), if is_root { 2 } else { 1 });
    assert_eq!(texts.len(), if is_root { 3 } else { 4 }, "{texts:?}");
    for (error, text) in scan.errors.iter().zip(&texts) {
        assert!(
            text.contains(&format!("{:?}", error.path())) && text.contains(". "),
            "{text}"
        );
    }
}

#[test]
fn depth_and_number_are_bounded() {
    let folder = folder_of(&["1/2/3/4/mainlog", "mainlog", "mainlog.1", "mainlog.2"]);
    let shallow = Limits {
        depth_max: 2,
        ..Limits::default()
    };
    let few = Limits {
        entries_max: 2,
        ..Limits::default()
    };
    for limits in [shallow, few] {
        let scan = scan(&[folder.path().to_owned()], &limits);
        assert!(
            scan.errors
                .iter()
                .any(|error| matches!(error, SourceError::TooMuch { .. })),
            "{scan:?}"
        );
        assert!(file_count(&scan) >= 1);
    }
}

#[test]
fn an_empty_log_is_a_log() {
    let folder = TempDir::new().unwrap();
    write(folder.path().join("mainlog"), b"").unwrap();
    let scan = scan_one(folder.path());
    assert_eq!(
        (scan.families[0].files[0].size, scan.families[0].files[0].codec),
        (0, Codec::Plain)
    );
}
