//! What a user sees of the partner file: what a good one means, and what is said of a bad one.

use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use super::*;

mod shipped;

const ACME: &str = r##"project_prefix = "acme-rcm"
brand_name = "Acme Healthcare RCM"
environment = "prod"
support_email = "support@acme.com"
primary_color = "#FF5722"
aws_account_id = "123456789012"
aws_region = "us-east-1"
"##;

/// Acme's file with these settings changed or added.
fn acme_with(settings: &[(&str, &str)]) -> String {
    let keeps = |line: &&str| settings.iter().all(|(key, _)| !line.starts_with(&format!("{key} =")));
    let kept: String = ACME.lines().filter(keeps).map(|line| format!("{line}\n")).collect();
    settings.iter().fold(kept, |text, (key, value)| format!("{text}{key} = {value}\n"))
}

fn parse(text: &str) -> Result<PartnerConfig, ConfigError> {
    PartnerConfig::parse("partners/acme.toml", text, None)
}

fn error(settings: &[(&str, &str)]) -> String {
    parse(&acme_with(settings)).expect_err("the file is wrong").to_string()
}

/// What is said of one value: the message and the help alone.
fn refusal(key: &str, value: &str) -> String {
    match parse(&acme_with(&[(key, value)])) {
        Err(ConfigError::Invalid { problems, .. }) if problems.len() == 1 => {
            format!("{} = {}", problems[0].message, problems[0].help.as_deref().unwrap_or("no help"))
        }
        other => panic!("{key} = {value} should be the one problem: {other:?}"),
    }
}

fn root() -> PathBuf {
    // Cargo runs a package's tests in its directory.
    PathBuf::from("../..")
}

fn load(name: &str) -> PartnerConfig {
    PartnerConfig::load(&root().join("partners"), name, None).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn acme_is_the_example_of_the_documentation() {
    let acme = load("acme");
    assert_eq!(acme.partner, "acme");
    assert_eq!(acme.prefix(), "acme-rcm-prod");
    assert_eq!((acme.brand_name.as_str(), acme.domain_name.as_deref()), ("Acme Healthcare RCM", Some("rcm.acme.com")));
    assert_eq!((acme.support_email.as_str(), acme.primary_color.as_str()), ("support@acme.com", "#FF5722"));
    assert_eq!((acme.aws_account_id.as_str(), acme.aws_region.as_str()), ("123456789012", "us-east-1"));
    assert_eq!(acme.tier, Tier::Production);
    assert_eq!(acme.api_image, None);
}

#[test]
fn what_app_runner_has_not_is_refused_with_what_it_has() {
    let runner = |more: &[(&str, &str)]| {
        let settings: Vec<_> = [("compute", r#""apprunner""#)].into_iter().chain(more.iter().copied()).collect();
        match parse(&acme_with(&settings)) {
            Ok(config) => panic!("{config:?}"),
            Err(ConfigError::Invalid { problems, .. }) => {
                let said = |problem: &Problem| {
                    format!("{}: {}", problem.message, problem.help.as_deref().unwrap_or("no help"))
                };
                problems.iter().map(said).collect::<Vec<_>>().join("\n")
            }
            Err(other) => panic!("{other}"),
        }
    };
    assert!(parse(&acme_with(&[("compute", r#""apprunner""#)])).is_ok(), "the presets of a tier fit");
    let size = runner(&[("ecs_cpu", "512"), ("ecs_memory", "2048")]);
    assert!(
        size.starts_with("App Runner has no instance with ecs_cpu = 512 and ecs_memory = 2048: it has ecs_cpu = 256"),
        "{size}"
    );
    assert!(size.contains("ecs_cpu = 4096 with ecs_memory 8192, 10240, 12288"), "{size}");
    let large = runner(&[("ecs_cpu", "8192"), ("ecs_memory", "16384")]);
    assert!(large.contains("no instance"), "{large}");
    assert!(runner(&[("ecs_max_count", "26")]).contains("at most 25 instances, and ecs_max_count = 26"));
    let domain = runner(&[("domain_name", r#""rcm.acme.com""#)]);
    assert!(domain.contains("*.awsapprunner.com") && domain.contains(r#"compute = "ecs""#), "{domain}");
    assert!(runner(&[("aws_region", r#""ca-central-1""#)]).contains("no App Runner in ca-central-1"));
    for (name, value) in [("ecs_scale_cpu", "60"), ("ecs_spot", "true"), ("ecs_on_demand_base", "2")] {
        assert!(runner(&[(name, value)]).starts_with(&format!("{name} has no effect on App Runner")), "{name}");
    }
    let firewall = runner(&[("waf", r#""count""#)]);
    assert!(firewall.starts_with(r#"waf = "count" has no effect on App Runner"#), "{firewall}");
    assert!(parse(&acme_with(&[("compute", r#""apprunner""#), ("waf", r#""off""#)])).is_ok(), "as it is");
}

#[test]
fn each_tier_fills_in_what_the_file_leaves_out() {
    let sizes = |name: &str| {
        let config = load(name);
        format!(
            "{}: {} multi-az={} {}..{} GiB, {}x {}/{} of {}..{}, {} zones, {} nat, postgres {}, {}, spot={} above {}\n",
            config.tier,
            config.db_instance_class,
            config.db_multi_az,
            config.db_allocated_storage,
            config.db_max_allocated_storage,
            config.ecs_desired_count,
            config.ecs_cpu,
            config.ecs_memory,
            config.ecs_min_count,
            config.ecs_max_count,
            config.availability_zones,
            config.nat_gateways,
            config.db_engine_version,
            config.vpc_cidr,
            config.ecs_spot,
            config.ecs_on_demand_base,
        )
    };
    let all = ["example-development", "acme", "example-high-availability"].map(sizes).concat();
    assert_snapshot!(all, @r"
    development: db.t3.micro multi-az=false 20..100 GiB, 1x 256/512 of 1..2, 2 zones, 1 nat, postgres 17, 10.0.0.0/16, spot=true above 1
    production: db.t3.medium multi-az=true 50..500 GiB, 2x 1024/2048 of 2..10, 2 zones, 1 nat, postgres 17, 10.0.0.0/16, spot=false above 1
    high-availability: db.t3.large multi-az=true 100..1000 GiB, 4x 1024/2048 of 4..20, 3 zones, 3 nat, postgres 17, 10.20.0.0/16, spot=false above 1
    ");
}

#[test]
fn a_file_says_more_than_its_tier() {
    let config = parse(&acme_with(&[
        ("tier", r#""high-availability""#),
        ("availability_zones", "3"),
        ("ecs_cpu", "2_048"),
        ("ecs_memory", "0x2000"),
    ]));
    let config = config.unwrap();
    assert_eq!((config.nat_gateways, config.ecs_cpu, config.ecs_memory), (3, 2048, 8192));
}

#[test]
fn all_mistakes_come_at_once_with_their_places() {
    let text = acme_with(&[
        ("primary_color", r##""#FF57""##),
        ("ecs_cup", "512"),
        ("db_multi_az", r#""true""#),
        ("aws_account_id", "123456789012"),
        ("aws_region", r#""us-esat-1""#),
        ("vpc_cidr", r#""10.0.0.0/24""#),
    ]);
    let text = text.replace("support_email = \"support@acme.com\"\n", "");
    assert_snapshot!(parse(&text).unwrap_err(), @r##"
    partners/acme.toml has 7 problems

    `#FF57` is not a colour
     --> partners/acme.toml:4:17
      |
    4 | primary_color = "#FF57"
      |                 ^^^^^^^
      = help: primary_color takes a colour as #RRGGBB, for example: primary_color = "#FF5722"

    unknown setting `ecs_cup`
     --> partners/acme.toml:5:1
      |
    5 | ecs_cup = 512
      | ^^^^^^^
      = help: did you mean `ecs_cpu`?

    `db_multi_az` takes true or false, not a string
     --> partners/acme.toml:6:15
      |
    6 | db_multi_az = "true"
      |               ^^^^^^
      = help: write db_multi_az = true

    `aws_account_id` takes a string, not an integer
     --> partners/acme.toml:7:18
      |
    7 | aws_account_id = 123456789012
      |                  ^^^^^^^^^^^^
      = help: write aws_account_id = "123456789012"

    `us-esat-1` is not an AWS Region
     --> partners/acme.toml:8:14
      |
    8 | aws_region = "us-esat-1"
      |              ^^^^^^^^^^^
      = help: did you mean "us-east-1"?

    `10.0.0.0/24` is too small for a VPC with its subnets
     --> partners/acme.toml:9:12
      |
    9 | vpc_cidr = "10.0.0.0/24"
      |            ^^^^^^^^^^^^^
      = help: public, private and database subnets in each zone need a /20 or larger, for example "10.0.0.0/16"

    `support_email` is missing
     --> partners/acme.toml
      = help: support_email takes an e-mail address, for example: support_email = "support@acme.com"
    "##);
}

#[test]
fn problems_have_their_parts_for_programs() {
    let Err(ConfigError::Invalid { file, problems }) = parse(&acme_with(&[("primary_color", r##""#F52""##)])) else {
        panic!("the colour is wrong");
    };
    assert_eq!(file, Path::new("partners/acme.toml"));
    let [Problem { key: Some(key), location: Some(at), message, help: Some(help), .. }] = problems.as_slice() else {
        panic!("one problem with all its parts: {problems:?}");
    };
    assert_eq!((key.as_str(), at.line, at.column, at.width), ("primary_color", 7, 17, 6));
    assert_eq!((message.as_str(), help.as_str()), ("`#F52` is not a colour", r##"write all six digits: "#FF5522""##));
}

#[test]
fn broken_toml_shows_every_broken_line() {
    assert_snapshot!(parse("project_prefix = acme\ntier = \"production\nbrand_name \"Acme\"\n").unwrap_err(), @r#"
    partners/acme.toml has 3 problems

    not valid TOML: string values must be quoted, expected literal string
     --> partners/acme.toml:1:18
      |
    1 | project_prefix = acme
      |                  ^^^^

    not valid TOML: invalid basic string, expected `"`
     --> partners/acme.toml:2:19
      |
    2 | tier = "production
      |                   ^

    not valid TOML: key with no value, expected `=`
     --> partners/acme.toml:3:12
      |
    3 | brand_name "Acme"
      |            ^
    "#);
}

#[test]
fn a_setting_given_twice_is_refused() {
    assert_snapshot!(parse(&format!("{ACME}project_prefix = \"other\"\n")).unwrap_err(), @r#"
    partners/acme.toml has 1 problem

    not valid TOML: duplicate key
     --> partners/acme.toml:8:1
      |
    8 | project_prefix = "other"
      | ^^^^^^^^^^^^^^
    "#);
}

#[test]
fn generated_secrets_are_refused_and_not_shown() {
    assert_snapshot!(error(&[("db_password", r#""hunter2""#), ("jwt_secret", "'''\nhunter2'''")]), @r"
    partners/acme.toml has 2 problems

    `db_password` must not be in a partner file: rcm generates it and keeps it in Secrets Manager
     --> partners/acme.toml:8:1
      |
    8 | db_password = (not shown)
      | ^^^^^^^^^^^
      = help: delete the line; nothing secret belongs in a file, and a value that has been in one is no longer a secret

    `jwt_secret` must not be in a partner file: rcm generates it and keeps it in Secrets Manager
     --> partners/acme.toml:9:1
      |
    9 | jwt_secret = (not shown)
      | ^^^^^^^^^^
      = help: delete the line; nothing secret belongs in a file, and a value that has been in one is no longer a secret
    ");
}

#[test]
fn a_secret_is_not_shown_however_the_file_is_broken() {
    let broken = [
        "db_password = \"hunter2\n",
        "db_password = hunter2\n",
        "db_password = \"\"\"\nhunter2\n",
        "db_password = '''\nhunter2",
        "db_password = \"abc\nhunter2=\"\n",
        "db_password = \"abc\n\nabc=\n= hunter2",
        "jwt_secret \"hunter2\"\njwt_secret = \"hunter2\" x\n",
        "db_password = [\"a\",\n\"hunter2\",\n",
        "a = { db_password = \"hunter2\", = }\n",
        "[environments.dev]\ndb_password = \"hunter2\"\n",
        "environments = { dev = { db_password = \"hunter2\" } }\n",
        "db.password = \"hunter2\"\n",
        "db_password = { value = \"hunter2\" }\n",
        "[db_password]\nvalue = \"hunter2\"\n",
        "aws_secret_access_key = \"hunter2\"\n",
    ];
    for text in broken {
        let error = parse(&format!("{ACME}{text}")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}\n{error}");
    }
}

#[test]
fn an_unknown_setting_names_the_nearest_one() {
    assert_snapshot!(refusal("db-instance-class", r#""db.t3.micro""#), @"unknown setting `db-instance-class` = did you mean `db_instance_class`?");
    assert_snapshot!(refusal("region", r#""us-east-1""#), @"unknown setting `region` = did you mean `aws_region`?");
    assert_snapshot!(refusal("colour_scheme", r#""dark""#), @"unknown setting `colour_scheme` = every setting is listed in docs/partner-file.md");
    assert_snapshot!(refusal("ecs", "{ cpu = 256 }"), @"unknown setting `ecs` = settings are flat, one to a line; an environment is a table, [environments.NAME], with the settings in which it differs");
}

#[test]
fn the_wrong_type_is_mended_where_it_can_be() {
    assert_snapshot!(refusal("ecs_cpu", r#""512""#), @"`ecs_cpu` takes an integer, not a string = write ecs_cpu = 512");
    assert_snapshot!(refusal("db_engine_version", "17"), @r#"`db_engine_version` takes a string, not an integer = write db_engine_version = "17""#);
    assert_snapshot!(refusal("ecs_max_count", "2.5"), @"`ecs_max_count` takes an integer, not a float = ecs_max_count takes a number from 1 to 1000, for example: ecs_max_count = 10");
    assert_snapshot!(refusal("tier", "[\"production\"]"), @r#"`tier` takes a string, not an array = tier takes "development", "production", "high-availability", for example: tier = "production""#);
}

#[test]
fn bad_values_say_what_is_allowed() {
    assert_snapshot!(refusal("project_prefix", r#""Acme_RCM""#), @r#"`Acme_RCM` is not a project prefix: `A` is not allowed in it = only lowercase letters, digits and hyphens are allowed: "acme-rcm""#);
    assert_snapshot!(refusal("project_prefix", r#""acme--rcm""#), @r#"`acme--rcm` is not a project prefix: a hyphen must stand between letters or digits = project_prefix takes lowercase letters, digits and hyphens, beginning with a letter, for example: project_prefix = "acme-rcm""#);
    assert_snapshot!(refusal("environment", r#""""#), @r#"`` is not an environment name: it is empty = environment takes lowercase letters, digits and hyphens, beginning with a letter, for example: environment = "prod""#);
    assert_snapshot!(refusal("brand_name", r#"" Acme""#), @r#"the brand name has spaces around it = write "Acme""#);
    assert_snapshot!(refusal("domain_name", r#""https://rcm.acme.com/""#), @r#"`https://rcm.acme.com/` is not a domain name = it is the name alone: "rcm.acme.com""#);
    assert_snapshot!(refusal("domain_name", r#""localhost""#), @r#"`localhost` is not a domain name = domain_name takes a domain name in lowercase, for example: domain_name = "rcm.acme.com""#);
    assert_snapshot!(refusal("hosted_zone_id", r#""/hostedzone/Z0123456789ABCDEFGHIJ""#), @r#"`/hostedzone/Z0123456789ABCDEFGHIJ` is not the id of a hosted zone = it is the id alone: "Z0123456789ABCDEFGHIJ""#);
    assert_snapshot!(refusal("hosted_zone_id", r#""acme.com""#), @"`acme.com` is not the id of a hosted zone = that is a name; `aws route53 list-hosted-zones` shows the id");
    assert_snapshot!(refusal("hosted_zone_id", r#""""#), @r#"`` is not the id of a hosted zone = hosted_zone_id takes the id of a public Route 53 hosted zone in the partner's account, for example: hosted_zone_id = "Z0123456789ABCDEFGHIJ""#);
    assert_snapshot!(refusal("support_email", r#""support at acme.com""#), @r#"`support at acme.com` is not an e-mail address = support_email takes an e-mail address, for example: support_email = "support@acme.com""#);
    assert_snapshot!(refusal("primary_color", r#""orange""#), @r##"`orange` is not a colour = primary_color takes a colour as #RRGGBB, for example: primary_color = "#FF5722""##);
    assert_snapshot!(refusal("aws_account_id", r#""1234-5678-9012""#), @r#"`1234-5678-9012` is not an AWS account number = write it without separators: "123456789012""#);
    assert_snapshot!(refusal("aws_account_id", r#""12345""#), @r#"`12345` is not an AWS account number = aws_account_id takes twelve digits in quotes, for example: aws_account_id = "123456789012""#);
    assert_snapshot!(refusal("aws_region", r#""us-east-1a""#), @r#"`us-east-1a` is not an AWS Region = that is an availability zone; its Region is "us-east-1""#);
    assert_snapshot!(refusal("aws_region", r#""cn-north-1""#), @"`cn-north-1` is not an AWS Region = the Regions in China are an AWS of their own, which rcm does not support");
    assert_snapshot!(refusal("tier", r#""high_availability""#), @r#"`tier` cannot be `high_availability` = did you mean "high-availability"? tier is one of development, production, high-availability"#);
    assert_snapshot!(refusal("tier", r#""huge""#), @"`tier` cannot be `huge` = tier is one of development, production, high-availability");
    assert_snapshot!(refusal("tier", r#""prod""#), @r#"`tier` cannot be `prod` = did you mean "production"? tier is one of development, production, high-availability"#);
    assert_snapshot!(refusal("compute", r#""lambda""#), @"`compute` cannot be `lambda` = compute is one of ecs, apprunner");
    assert_snapshot!(refusal("availability_zones", "1"), @"`availability_zones` cannot be 1 = availability_zones takes a number from 2 to 3, for example: availability_zones = 2");
    assert_snapshot!(refusal("db_instance_class", r#""t3.micro""#), @r#"`t3.micro` is not a database instance class = write "db.t3.micro""#);
    assert_snapshot!(refusal("db_instance_class", r#""db.m1.small""#), @r#"`db.m1.small` cannot be encrypted at rest = db_instance_class takes an RDS instance class, for example: db_instance_class = "db.r6g.large""#);
    assert_snapshot!(refusal("db_engine_version", r#""17.4""#), @r#"`17.4` names a minor version = minor upgrades come by themselves; write db_engine_version = "17""#);
    assert_snapshot!(refusal("db_allocated_storage", "5"), @"`db_allocated_storage` cannot be 5 = db_allocated_storage takes a number from 20 to 65536, for example: db_allocated_storage = 100");
    assert_snapshot!(refusal("db_read_replicas", "6"), @"`db_read_replicas` cannot be 6 = db_read_replicas takes a number from 0 to 5, for example: db_read_replicas = 1");
    assert_snapshot!(refusal("ecs_cpu", "1000"), @"`ecs_cpu` cannot be 1000 = ecs_cpu takes 256, 512, 1024, 2048, 4096, 8192, 16384, for example: ecs_cpu = 1024");
    assert_snapshot!(refusal("ecs_min_count", "-1"), @"`ecs_min_count` cannot be -1 = ecs_min_count takes a number from 1 to 1000, for example: ecs_min_count = 2");
}

#[test]
fn networks_must_be_private_and_of_a_fitting_size() {
    assert_snapshot!(refusal("vpc_cidr", r#""10.0.0.5/16""#), @r#"`10.0.0.5/16` is an address inside a block, not a block = the block of that size around it is "10.0.0.0/16""#);
    assert_snapshot!(refusal("vpc_cidr", r#""10.1.2.0/24""#), @r#"`10.1.2.0/24` is too small for a VPC with its subnets = public, private and database subnets in each zone need a /20 or larger, for example "10.1.0.0/16""#);
    assert_snapshot!(refusal("vpc_cidr", r#""10.0.0.0/8""#), @r#"`10.0.0.0/8` is too large for a VPC = AWS allows a /16 at most: "10.0.0.0/16""#);
    assert_snapshot!(refusal("vpc_cidr", r#""8.8.0.0/16""#), @"`8.8.0.0/16` is not private address space = take it from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16");
    assert_snapshot!(refusal("vpc_cidr", r#""172.17.0.0/16""#), @r#"`172.17.0.0/16` overlaps 172.17.0.0/16, which AWS services and Docker use for themselves = take another block, for example "10.0.0.0/16""#);
    assert_snapshot!(refusal("vpc_cidr", r#""ten""#), @r#"`ten` is not an IPv4 block = vpc_cidr takes a private IPv4 block from /16 to /20, for example: vpc_cidr = "10.20.0.0/16""#);
}

#[test]
fn an_image_is_named_by_its_digest() {
    let digest = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@{digest}");
    let config = parse(&acme_with(&[("api_image", &format!("{image:?}"))])).unwrap();
    assert_eq!(config.api_image.unwrap().as_str(), image);

    assert_snapshot!(refusal("api_image", r#""registry:5000/api:latest""#), @"`registry:5000/api:latest` names an image by its tag, which cannot be rolled back = pin it by its digest: repository@sha256:…; after a push, `docker inspect --format '{{index .RepoDigests 0}}' IMAGE` shows it");
    assert_snapshot!(refusal("api_image", r#""registry:5000/api""#), @"`registry:5000/api` names no particular image, which cannot be rolled back = pin it by its digest: repository@sha256:…; after a push, `docker inspect --format '{{index .RepoDigests 0}}' IMAGE` shows it");
    assert_snapshot!(refusal("api_image", &format!("\"api:v1@{digest}\"")), @"`api:v1@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae` has both a tag and a digest = leave the tag out; the digest decides");
    assert_snapshot!(refusal("api_image", r#""api@sha256:abc""#), @"the image's digest is not sha256: and 64 lowercase hexadecimal digits = pin it by its digest: repository@sha256:…; after a push, `docker inspect --format '{{index .RepoDigests 0}}' IMAGE` shows it");
}

#[test]
fn a_zone_without_a_domain_is_for_nothing() {
    assert_snapshot!(refusal("hosted_zone_id", r#""Z0123456789ABCDEFGHIJ""#), @"hosted_zone_id has no effect without domain_name = records are made for domain_name; add it or delete the line");
}

#[test]
fn what_is_about_the_account_wants_the_baseline() {
    assert_snapshot!(refusal("security_hub", "true"), @"security_hub has no effect without account_baseline = true = it is about the account as a whole: add account_baseline = true, or delete the line");
    let with = |name, value| parse(&acme_with(&[("account_baseline", "true"), (name, value)]));
    assert_eq!(with("security_hub", "true").unwrap().security_email(), "support@acme.com");
    assert_eq!(with("security_email", r#""security@acme.com""#).unwrap().security_email(), "security@acme.com");
    assert!(with("security_phone", r#""+1 (555) 0100""#).is_ok());
    assert_snapshot!(refusal("security_phone", r#""call me""#), @r#"`call me` is not a telephone number = security_phone takes a telephone number: at most 25 digits, spaces, and any of ()+-, for example: security_phone = "+1 555 0100""#);
    assert!(parse(&acme_with(&[("security_hub", "false")])).is_ok(), "what is off needs nothing");
}

#[test]
fn settings_must_fit_together() {
    assert_snapshot!(error(&[
        ("ecs_cpu", "256"),
        ("ecs_desired_count", "20"),
        ("nat_gateways", "3"),
        ("db_allocated_storage", "500"),
        ("aws_external_id", r#""rcm-acme""#),
    ]), @r#"
    partners/acme.toml has 4 problems

    ecs_desired_count = 20 is more than ecs_max_count = 10 (the default of tier production)
     --> partners/acme.toml:9:21
      |
    9 | ecs_desired_count = 20
      |                     ^^
      = help: ecs_min_count must be at most ecs_desired_count, and that at most ecs_max_count

    nat_gateways = 3 does not go with availability_zones = 2 (the default)
      --> partners/acme.toml:10:16
       |
    10 | nat_gateways = 3
       |                ^
       = help: use 1, or one for each zone: 2

    db_max_allocated_storage = 500 (the default of tier production) leaves db_allocated_storage = 500 no room to grow
      --> partners/acme.toml:11:24
       |
    11 | db_allocated_storage = 500
       |                        ^^^
       = help: RDS wants at least 10 % more: db_max_allocated_storage = 550 or above

    aws_external_id has no effect without aws_role_arn
      --> partners/acme.toml:12:19
       |
    12 | aws_external_id = "rcm-acme"
       |                   ^^^^^^^^^^
       = help: an external ID is sent when a role is assumed; add aws_role_arn or delete the line
    "#);
}

#[test]
fn memory_between_two_steps_is_not_sold() {
    assert_snapshot!(error(&[("ecs_cpu", "8192"), ("ecs_memory", "17408")]), @r"
    partners/acme.toml has 1 problem

    Fargate has no task with ecs_cpu = 8192 and ecs_memory = 17408
     --> partners/acme.toml:9:14
      |
    9 | ecs_memory = 17408
      |              ^^^^^
      = help: with ecs_cpu = 8192, ecs_memory is one of 16384 to 61440 in steps of 4096; ecs_memory = 17408 goes with ecs_cpu 4096
    ");
}

#[test]
fn a_role_is_in_the_partners_account_and_partition() {
    assert_snapshot!(refusal("aws_role_arn", r#""arn:aws:iam::999999999999:role/rcm""#), @"the role is in account 999999999999, the partner's is 123456789012 = name a role in the partner's account: rcm touches no other");
    assert_snapshot!(refusal("aws_role_arn", r#""arn:aws-us-gov:iam::123456789012:role/rcm""#), @"the role is in partition aws-us-gov, us-east-1 is in aws = in us-east-1 an ARN begins with arn:aws:");
    assert_snapshot!(refusal("aws_role_arn", r#""arn:aws:iam::123456789012:user/rcm""#), @r#"`arn:aws:iam::123456789012:user/rcm` is not the ARN of an IAM role = aws_role_arn takes the ARN of an IAM role in the partner's account, for example: aws_role_arn = "arn:aws:iam::123456789012:role/rcm-deploy""#);
    let good = [("aws_role_arn", r#""arn:aws:iam::123456789012:role/ops/rcm""#), ("aws_external_id", r#""rcm-acme""#)];
    assert_eq!(parse(&acme_with(&good)).unwrap().aws_external_id.as_deref(), Some("rcm-acme"));
}

#[test]
fn a_prefix_must_leave_room_in_every_name() {
    assert_snapshot!(error(&[("project_prefix", r#""the-acme-healthcare-group-rcm""#)]), @r#"
    partners/acme.toml has 1 problem

    `the-acme-healthcare-group-rcm-prod` makes names too long: the load balancer the-acme-healthcare-group-rcm-prod-alb (38 characters, at most 32), the target group the-acme-healthcare-group-rcm-prod-api (38 characters, at most 32), the S3 bucket the-acme-healthcare-group-rcm-prod-alb-logs-123456789012-us-east-1 (66 characters, at most 63)
     --> partners/acme.toml:7:18
      |
    7 | project_prefix = "the-acme-healthcare-group-rcm"
      |                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: shorten project_prefix or environment by 6 characters: together with the hyphen they have 34, and 28 fit here
    "#);
    assert_snapshot!(refusal("project_prefix", r#""acme-healthcare-group-rcm""#), @"`acme-healthcare-group-rcm-prod` makes names too long: the load balancer acme-healthcare-group-rcm-prod-alb (34 characters, at most 32), the target group acme-healthcare-group-rcm-prod-api (34 characters, at most 32) = shorten project_prefix or environment by 2 characters: together with the hyphen they have 30, and 28 fit here");
    let longest =
        parse(&acme_with(&[("project_prefix", r#""acme-healthcare-groups""#), ("environment", r#""stage""#)]));
    assert_eq!(longest.unwrap().prefix().len(), 28, "a load balancer's 32 less `-alb`");
}

const TWO: &str = r##"
brand_name = "Acme Healthcare RCM"
support_email = "support@acme.com"
primary_color = "#FF5722"
project_prefix = "acme-rcm"
aws_region = "us-east-1"

[environments.prod]
aws_account_id = "123456789012"

[environments.staging]
aws_account_id = "210987654321"
tier = "development"
ecs_max_count = 3
"##;

#[test]
fn a_file_can_describe_several_environments() {
    let staging = PartnerConfig::parse("acme.toml", TWO, Some("staging")).unwrap();
    assert_eq!(
        (staging.prefix().as_str(), staging.tier, staging.ecs_max_count),
        ("acme-rcm-staging", Tier::Development, 3)
    );
    let prod = PartnerConfig::parse("acme.toml", TWO, Some("prod")).unwrap();
    assert_eq!((prod.prefix().as_str(), prod.tier, prod.ecs_max_count), ("acme-rcm-prod", Tier::Production, 10));
    let named = PartnerConfig::parse("acme.toml", &format!("environment = \"prod\"\n{TWO}"), None).unwrap();
    assert_eq!(named, prod);
}

#[test]
fn an_environment_must_be_chosen_and_exist() {
    assert_snapshot!(parse(TWO).unwrap_err(), @r"
    partners/acme.toml describes several environments: prod, staging
      = help: choose one with --env, for example --env prod
    ");
    assert_snapshot!(PartnerConfig::parse("acme.toml", TWO, Some("stagin")).unwrap_err(), @r"
    acme.toml has no environment `stagin`
      = help: did you mean `staging`?
      = note: the environments are prod, staging
    ");
    assert_snapshot!(PartnerConfig::parse("acme.toml", ACME, Some("staging")).unwrap_err(), @r"
    acme.toml has no environment `staging`
      = note: the only environment is prod
    ");
}

#[test]
fn the_only_environment_needs_no_choice() {
    let only = TWO.split("[environments.prod]").next().unwrap();
    let only = format!("{only}[environments.test]\naws_account_id = \"123456789012\"\n");
    assert_eq!(parse(&only).unwrap().environment, "test");
}

#[test]
fn environments_are_checked_whichever_is_chosen() {
    let text = TWO
        .replace("ecs_max_count = 3", "ecs_max_count = 3\necs_cpu = 300\nenvironment = \"dev\"\n[environments.Test]\n");
    assert_snapshot!(PartnerConfig::parse("acme.toml", &text, Some("prod")).unwrap_err(), @r#"
    acme.toml has 4 problems

    `ecs_cpu` cannot be 300
      --> acme.toml:15:11
       |
    15 | ecs_cpu = 300
       |           ^^^
       = help: ecs_cpu takes 256, 512, 1024, 2048, 4096, 8192, 16384, for example: ecs_cpu = 1024

    an environment's table has its name already
      --> acme.toml:16:1
       |
    16 | environment = "dev"
       | ^^^^^^^^^^^
       = help: leave `environment` out here: the name is the one in [environments.NAME]

    `Test` is not an environment name: `T` is not allowed in it
      --> acme.toml:17:15
       |
    17 | [environments.Test]
       |               ^^^^
       = help: only lowercase letters, digits and hyphens are allowed: "test"

    `aws_account_id` is missing
      --> acme.toml:17:15
       |
    17 | [environments.Test]
       |               ^^^^
       = help: aws_account_id takes twelve digits in quotes, for example: aws_account_id = "123456789012"
    "#);
}

#[test]
fn environments_beside_each_other_must_not_share_names_or_addresses() {
    let text = TWO.replace("210987654321", "123456789012");
    assert_snapshot!(PartnerConfig::parse("acme.toml", &text, Some("prod")).unwrap_err(), @r"
    acme.toml has 2 problems

    environments `prod` and `staging` would both own the secret acme-rcm/database-url in the same account and Region
      --> acme.toml:11:15
       |
    11 | [environments.staging]
       |               ^^^^^^^
       = help: give one of them another aws_account_id (best), aws_region or project_prefix

    the network 10.0.0.0/16 of `staging` overlaps the network 10.0.0.0/16 of `prod`
      --> acme.toml:11:15
       |
    11 | [environments.staging]
       |               ^^^^^^^
       = help: give each environment in an account a vpc_cidr of its own
    ");
    let apart = text.replace("tier =", "project_prefix = \"acme-stg\"\nvpc_cidr = \"10.1.0.0/16\"\ntier =");
    PartnerConfig::parse("acme.toml", &apart, Some("prod")).unwrap();
}

#[test]
fn a_partner_without_a_file_is_told_which_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let message = |name: &str| {
        let error = PartnerConfig::load(dir.path(), name, None).unwrap_err().to_string();
        error.replace(dir.path().to_str().unwrap(), "partners")
    };
    assert_snapshot!(message("acme"), @r"
    there is no partner `acme`: partners/acme.toml does not exist
      = note: there is no partner yet
    ");
    for file in ["acme.toml", "bolt.toml", "README.md"] {
        std::fs::copy(root().join("partners/acme.toml"), dir.path().join(file)).unwrap();
    }
    assert_snapshot!(message("acmee"), @r"
    there is no partner `acmee`: partners/acmee.toml does not exist
      = help: did you mean `acme`?
      = note: the partners are acme, bolt
    ");
    assert_snapshot!(message("zeta"), @r"
    there is no partner `zeta`: partners/zeta.toml does not exist
      = note: the partners are acme, bolt
    ");
}

#[test]
fn a_partners_name_stays_in_its_folder() {
    for name in ["../acme", "a/b", "", ".", "Acme", "acme.toml", "-acme", "a\0b", "acme\n"] {
        let error = PartnerConfig::load(&root().join("partners"), name, None).unwrap_err();
        assert!(matches!(error, ConfigError::PartnerName { .. }), "{name:?}: {error}");
    }
    assert_snapshot!(PartnerConfig::load(&root(), "../acme", None).unwrap_err(), @r"
    `../acme` cannot be a partner's name
      = help: use lowercase letters, digits and hyphens, beginning with a letter or digit, at most 40 characters: partners/NAME.toml
    ");
}

#[test]
fn a_file_that_cannot_be_read_is_not_a_missing_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("acme.toml")).unwrap();
    let error = PartnerConfig::load(dir.path(), "acme", None).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
}

#[test]
fn a_region_that_is_newer_than_rcm_is_accepted() {
    let region = parse(&acme_with(&[("aws_region", r#""us-gov-central-1""#)])).unwrap().aws_region;
    assert_eq!((region.as_str(), region.partition()), ("us-gov-central-1", "aws-us-gov"));
}

#[test]
fn a_terminal_is_safe_from_the_file() {
    let error = error(&[("support_email", r#""\u001b[31mred""#), ("brand_name", "'a\tb'")]);
    assert!(error.chars().all(|c| c == '\n' || !c.is_control()), "{error:?}");
}

#[test]
fn a_schedule_is_read_with_its_place_and_every_mistake_in_it() {
    let schedules = |list: &str| acme_with(&[("ecs_schedules", list)]);
    let config = parse(&schedules(
        r#"[
  { name = "night", schedule = "cron(0 20 * * ? *)", timezone = "America/New_York", min = 0, max = 2 },
  { name = "day", schedule = "at(2027-01-31T06:00:00)", min = 2, max = 10 },
]"#,
    ));
    let read = config.unwrap().ecs_schedules;
    assert_eq!(
        (read[0].name.as_str(), read[0].min, read[0].timezone.as_deref()),
        ("night", 0, Some("America/New_York"))
    );
    assert_eq!(
        (read[1].schedule.as_str(), read[1].max, read[1].timezone.as_deref()),
        ("at(2027-01-31T06:00:00)", 10, None)
    );

    let text = schedules(
        r#"[
  { name = "Night", schedule = "20:00", timezon = "UTC", min = 0, max = 2 },
  { name = "day", schedule = "rate(1 day)", min = 2, max = 1 },
  { name = "noon", schedule = "rate(1 day)", min = 2000 },
  "never",
  { name = "secret", schedule = "rate(1 day)", min = 1, max = 1, password = "hunter2" },
]"#,
    );
    let said = parse(&text).unwrap_err().to_string();
    assert!(!said.contains("hunter2"), "{said}");
    assert_snapshot!(said, @r#"
    partners/acme.toml has 8 problems

    `Night` is not a schedule's name: `N` is not allowed in it
     --> partners/acme.toml:9:12
      |
    9 |   { name = "Night", schedule = "20:00", timezon = "UTC", min = 0, max = 2 },
      |            ^^^^^^^
      = help: only lowercase letters, digits and hyphens are allowed: "night"

    `20:00` is not a schedule
     --> partners/acme.toml:9:32
      |
    9 |   { name = "Night", schedule = "20:00", timezon = "UTC", min = 0, max = 2 },
      |                                ^^^^^^^
      = help: schedule takes at(yyyy-mm-ddThh:mm:ss), rate(number unit) or cron(six fields), for example: schedule = "cron(0 20 * * ? *)"

    a schedule has no `timezon`
     --> partners/acme.toml:9:41
      |
    9 |   { name = "Night", schedule = "20:00", timezon = "UTC", min = 0, max = 2 },
      |                                         ^^^^^^^
      = help: did you mean `timezone`?

    in the schedule `day`, min = 2 is more than max = 1
      --> partners/acme.toml:10:3
       |
    10 |   { name = "day", schedule = "rate(1 day)", min = 2, max = 1 },
       |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = help: min must be at most max

    the schedule has no `max`
      --> partners/acme.toml:11:3
       |
    11 |   { name = "noon", schedule = "rate(1 day)", min = 2000 },
       |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = help: max takes a number from 0 to 1000, for example: max = 2

    `min` cannot be 2000
      --> partners/acme.toml:11:52
       |
    11 |   { name = "noon", schedule = "rate(1 day)", min = 2000 },
       |                                                    ^^^^
       = help: min takes a number from 0 to 1000, for example: min = 1

    `ecs_schedules` takes a list of tables with name, schedule, min, max and perhaps timezone, not a string
      --> partners/acme.toml:12:3
       |
    12 |   "never",
       |   ^^^^^^^

    a schedule has no `password`
      --> partners/acme.toml:13:66
       |
    13 |   { name = "secret", schedule = "rate(1 day)", min = 1, max = 1, password = (not shown)
       |                                                                  ^^^^^^^^
       = help: a schedule has name, schedule, timezone, min, max
    "#);
    let twice = r#"[{ name = "a", schedule = "rate(1 day)", min = 1, max = 1 }, { name = "a", schedule = "rate(2 days)", min = 1, max = 1 }]"#;
    assert_eq!(refusal("ecs_schedules", twice), "two schedules are called `a` = give each a name of its own");
    let zone = r#"[{ name = "a", schedule = "rate(1 day)", timezone = "UTC", min = 1, max = 1 }]"#;
    assert!(refusal("ecs_schedules", zone).starts_with("the schedule `a` is an interval"));
}
