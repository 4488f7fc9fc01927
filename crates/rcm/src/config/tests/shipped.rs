//! What is committed beside the code agrees with it: the partner files, the schema, the guide.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::settings::{SETTINGS, find};
use super::super::{ConfigError, PartnerConfig, json_schema, reference};
use super::{acme_with, load, parse, root};

#[test]
fn every_shipped_file_loads_and_names_the_schema() {
    let files = std::fs::read_dir(root().join("partners")).unwrap();
    let files: Vec<PathBuf> =
        files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("#:schema ../docs/schemas/partner.schema.json\n"), "{}", file.display());
        load(file.file_stem().unwrap().to_str().unwrap());
    }
}

/// The lines that a shipped example has commented out are the presets that it claims they are.
#[test]
fn the_commented_lines_of_the_examples_are_the_presets() {
    for name in ["example-development", "example-high-availability"] {
        let text = std::fs::read_to_string(root().join(format!("partners/{name}.toml"))).unwrap();
        let (head, presets) = text.split_once("# What the tier presets").unwrap();
        let presets: String =
            presets.lines().skip(1).map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
        let file = format!("partners/{name}.toml");
        let spelt_out =
            PartnerConfig::parse(&file, &format!("{head}{presets}"), None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(spelt_out, PartnerConfig::parse(&file, head, None).unwrap());
    }
}

#[test]
fn every_setting_of_the_table_has_an_example_that_is_accepted() {
    for setting in SETTINGS {
        let (name, example) = (setting.name, setting.example);
        let mut settings = vec![(name, example)];
        if name == "aws_external_id" {
            settings.push(("aws_role_arn", find("aws_role_arn").unwrap().example));
        }
        if name == "hosted_zone_id" {
            settings.push(("domain_name", find("domain_name").unwrap().example));
        }
        if let Err(error) = parse(&acme_with(&settings)) {
            panic!("{error}");
        }
    }
    let names: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.name).collect();
    assert_eq!(names.len(), SETTINGS.len(), "a setting stands twice in the table");
}

/// Compares a committed file with what the code makes; `UPDATE_DOCS=1 cargo test -p rcm config` writes it.
fn assert_current(path: &str, expected: impl Fn(&str) -> String) {
    let path = root().join(path);
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let expected = expected(&found);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        #[expect(
            clippy::disallowed_methods,
            reason = "a developer's own request, in a work tree under version control"
        )]
        std::fs::write(&path, &expected).unwrap();
    } else {
        assert!(found == expected, "{} is out of date: UPDATE_DOCS=1 cargo test -p rcm config", path.display());
    }
}

#[test]
fn the_committed_schema_is_current() {
    assert_current("docs/schemas/partner.schema.json", |_| format!("{:#}\n", json_schema()));
}

#[test]
fn the_reference_in_the_documentation_is_current() {
    const BEGIN: &str = "<!-- settings: made from crates/rcm/src/config/settings.rs -->\n";
    const END: &str = "<!-- end of settings -->";
    assert_current("docs/partner-file.md", |found| {
        let (head, rest) = found.split_once(BEGIN).expect("the guide has the marker before its table");
        let (_, tail) = rest.split_once(END).expect("the guide has the marker after its table");
        format!("{head}{BEGIN}{}{END}{tail}", reference())
    });
}

/// Every TOML example of the guide that is a whole file is one that rcm accepts.
#[test]
fn the_examples_in_the_documentation_are_accepted() {
    let guide = std::fs::read_to_string(root().join("docs/partner-file.md")).unwrap();
    let examples: Vec<&str> = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let parsed = PartnerConfig::parse("acme.toml", example, None);
        assert!(
            matches!(parsed, Ok(_) | Err(ConfigError::EnvironmentNeeded { .. })),
            "{example}\n{}",
            parsed.unwrap_err()
        );
    }
}
