//! A test file that no module names is compiled by nobody and fails for nobody.

use std::fs;
use std::path::{Path, PathBuf};

/// Files below `directory` that its `root` (`main.rs` or `mod.rs`) does not declare, recursively.
fn unwired(directory: &Path, root: &str) -> Vec<PathBuf> {
    let declarations = fs::read_to_string(directory.join(root)).unwrap_or_default();
    let mut missing = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_module = path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
        let is_root = path.file_name().is_some_and(|file| file == root);
        if is_module && !is_root && !declarations.lines().any(|line| line.trim() == format!("mod {name};")) {
            missing.push(path.clone());
        }
        if path.is_dir() {
            missing.extend(unwired(&path, "mod.rs"));
        }
    }
    missing
}

#[test]
fn every_test_file_is_part_of_the_binary() {
    let all = rcm_testkit::root().join("tests/all");
    assert_eq!(unwired(&all, "main.rs"), Vec::<PathBuf>::new(), "not declared with `mod` where they stand");
}

#[test]
fn a_forgotten_file_is_found_at_any_depth() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("topic")).unwrap();
    for (name, declares) in [
        ("main.rs", "mod topic;\n"),
        ("topic/mod.rs", "mod wired;"),
        ("topic/wired.rs", ""),
        ("topic/lost.rs", ""),
        ("stray.rs", ""),
    ] {
        std::io::Write::write_all(&mut fs::File::create(directory.path().join(name)).unwrap(), declares.as_bytes())
            .unwrap();
    }
    let mut found = unwired(directory.path(), "main.rs");
    found.sort();
    assert_eq!(found, [directory.path().join("stray.rs"), directory.path().join("topic/lost.rs")]);
}
