//! `rcm cost`, and what plans say of it.

use std::fs;

use serde_json::{Value, json};

use crate::bench::{Bench, SHIPPED, lines};

/// Without `--sandbox`: whatever it sent would be refused, as there is nobody at the bench's port.
fn cost(bench: &Bench, more: &str) -> Value {
    serde_json::from_str(&bench.run(&format!("cost --output json{more}")).expect_code(0).stdout).unwrap()
}

/// An exact amount, in billionths of a dollar.
fn nanos(amount: &Value) -> i64 {
    let (whole, fraction) = amount.as_str().unwrap().split_once('.').unwrap();
    format!("{whole}{fraction:0<9}").parse().unwrap()
}

#[test]
fn it_is_told_before_anything_is_there_and_asks_nobody() {
    let bench = Bench::strict();
    let told = bench.run("cost").expect_code(0).stdout;
    for line in
        ["What acme/prod costs a month (us-east-1, on demand, prices of ", "Compute                    $72.08  ██"]
    {
        assert!(told.contains(line), "{line:?} is not in:\n{told}");
    }
    assert!(told.contains("Total                     $302.14"), "{told}");
    assert!(told.contains("db.t3.medium with a standby  730 hour     at $0.145 ?  $105.85"), "{told}");
    assert!(told.contains("tasks               2 tasks"), "{told}");
    assert!(!told.contains('\u{1b}'), "a pipe takes no colours: {told}");
    assert!(!bench.rcm.state_dir().join("acme").exists(), "it leaves nothing behind");
}

#[test]
fn programs_get_every_line_exactly() {
    let found = cost(&Bench::strict(), "");
    assert_eq!((&found["region"], &found["currency"]), (&json!("us-east-1"), &json!("USD")));
    assert_eq!(found["monthly_usd"], "302.1432");
    let lines = found["lines"].as_array().unwrap();
    assert_eq!(lines.iter().map(|line| nanos(&line["monthly_usd"])).sum::<i64>(), nanos(&found["monthly_usd"]));
    let services = found["services"].as_array().unwrap();
    assert_eq!(
        services.iter().map(|service| nanos(&service["monthly_usd"])).sum::<i64>(),
        nanos(&found["monthly_usd"])
    );
    let server = lines.iter().find(|line| line["address"] == "database/instance").unwrap();
    assert_eq!(server["unit_usd"], "0.145");
    assert_eq!(
        (&server["quantity"], &server["unit"], &server["verified"]),
        (&json!("730"), &json!("hour"), &json!(false))
    );
    assert!(server["source"].as_str().unwrap().starts_with("https://aws.amazon.com/"));
    assert_eq!(found["unpriced"], json!([]));
}

#[test]
fn what_is_assumed_can_be_set_by_its_name_alone() {
    let bench = Bench::strict();
    let found = cost(&bench, " --assume tasks=4 --assume data-out-gb=100.5");
    // Two tasks more, and 50.5 GB.
    assert_eq!(nanos(&found["monthly_usd"]) - 302_143_200_000, 72_080_200_000 + 4_545_000_000);
    let assumed = |name: &str| found["assumptions"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    assert_eq!((&assumed("tasks")["value"], &assumed("tasks")["set"]), (&json!("4"), &json!(true)));
    assert_eq!((&assumed("lcus")["value"], &assumed("lcus")["set"]), (&json!("0.2"), &json!(false)));

    let unknown = bench.run("cost --assume task=4").expect_code(2);
    assert!(unknown.stderr.contains("nothing is assumed under the name `task`, is it `tasks`?"), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("data-out-gb, nat-gb"), "{}", unknown.stderr);
    for (wrong, why) in [
        ("tasks", "written as in tasks=4"),
        ("tasks=-1", "written as in 20 or 0.5"),
        ("lcus=0.0001", "too many decimals"),
    ] {
        let ran = bench.run(&format!("cost --assume {wrong}")).expect_code(2);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
}

#[test]
fn the_tiers_stand_beside_the_tables_that_they_replace() {
    let bench = Bench::strict();
    let told = bench.run("cost --tiers").expect_code(0).stdout;
    assert!(told.contains("Total            $116.95 ($50-75)  $302.14 ($300-400)  $528.97 ($600-700)"), "{told}");
    assert!(told.contains("Firewall         waf: the tables have none"), "{told}");
    // A setting of the file's own is in every tier.
    bench.partner("acme", &format!("{SHIPPED}\nwaf = \"off\"\ndb_instance_class = \"db.t4g.small\"\n"));
    let found = cost(&bench, " --tiers");
    let tiers = found["tiers"].as_array().unwrap();
    let names: Vec<&str> = tiers.iter().map(|tier| tier["tier"].as_str().unwrap()).collect();
    assert_eq!(names, ["development", "production", "high-availability"]);
    for tier in tiers {
        let classes: Vec<&str> =
            tier["cost"]["lines"].as_array().unwrap().iter().map(|line| line["what"].as_str().unwrap()).collect();
        assert!(
            classes.iter().any(|what| what.starts_with("db.t4g.small")) && !classes.contains(&"web ACL"),
            "{classes:?}"
        );
    }
    assert_eq!(tiers[1]["cost"]["monthly_usd"], found["monthly_usd"]);
}

#[test]
fn the_page_needs_nothing_else() {
    let bench = Bench::strict();
    let file = bench.file("cost.html");
    let _ = bench.run(&format!("cost --tiers --html {file}")).expect_code(0);
    let page = fs::read_to_string(file).unwrap();
    for part in [
        "<h1>What acme/prod costs a month</h1>",
        "<svg ",
        "$302.14",
        "<td>log-months<td>12 months",
        "$528.97 ($600-700)",
    ] {
        assert!(page.contains(part), "{part} is not in:\n{page}");
    }
    assert!(!page.contains("<script") && !page.contains("<link") && !page.contains("src="), "{page}");
}

#[test]
fn a_region_without_prices_is_named_and_stops_no_plan() {
    let bench = Bench::strict();
    bench.partner("acme", &SHIPPED.replace("us-east-1", "eu-central-1"));
    let ran = bench.run("cost").expect_code(1);
    assert!(
        ran.stderr.contains("there are no prices of eu-central-1; those of us-east-1, us-east-2, us-west-2 are known"),
        "{}",
        ran.stderr
    );
    let plan = bench.run("plan --sandbox").expect_code(0).stdout;
    assert!(plan.contains("What it costs is not known: there are no prices of eu-central-1"), "{plan}");
    let plan: Value = serde_json::from_str(&bench.run("plan --sandbox --output json").expect_code(0).stdout).unwrap();
    assert_eq!(plan["monthly_cost"], Value::Null);
}

#[test]
fn every_plan_says_what_it_changes() {
    let bench = Bench::strict();
    let image = format!(
        "api_image = \"123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:{}\"",
        "0".repeat(64)
    );
    let file = format!("{SHIPPED}\n{image}\n");
    bench.partner("acme", &file);
    let saved = bench.file("plan.json");
    let first = bench.run(&format!("plan --sandbox --out {saved}")).expect_code(0).stdout;
    assert!(first.contains(" to create.\n+$302.14 a month\n"), "{first}");
    let plan: Value = serde_json::from_str(&fs::read_to_string(&saved).unwrap()).unwrap();
    assert_eq!(plan.get("monthly_cost"), None, "what is saved is the plan alone");
    let ran = bench.run(&format!("provision --plan {saved} --sandbox --yes --output json")).expect_code(0);
    let told = lines(&ran.stdout).into_iter().find(|line| line["event"] == "plan").unwrap();
    assert_eq!(told["monthly_cost"]["difference_usd"], "302.1432");

    let same = bench.run("plan --sandbox").expect_code(0).stdout;
    assert!(!same.contains("a month"), "{same}");
    bench.partner("acme", &format!("{file}dashboard = false\n"));
    let less = bench.run("plan --sandbox").expect_code(0).stdout;
    assert!(less.contains("-$3.00 a month\n"), "{less}");
    bench.partner("acme", &format!("{file}db_instance_class = \"db.t3.large\"\n"));
    let more: Value = serde_json::from_str(&bench.run("plan --sandbox --output json").expect_code(0).stdout).unwrap();
    // 730 h × (0.29 - 0.145).
    let change = json!({
        "before_usd": "302.1432", "after_usd": "407.9932", "difference_usd": "105.85",
        "as_of": more["monthly_cost"]["as_of"], "incomplete": false,
    });
    assert_eq!(more["monthly_cost"], change);

    bench.partner("acme", &file);
    let all: Value =
        serde_json::from_str(&bench.run("plan --destroy --purge --sandbox --output json").expect_code(0).stdout)
            .unwrap();
    assert_eq!(all["monthly_cost"]["after_usd"], "0.00");
    let kept: Value =
        serde_json::from_str(&bench.run("plan --destroy --sandbox --output json").expect_code(0).stdout).unwrap();
    let left = nanos(&kept["monthly_cost"]["after_usd"]);
    assert!(left > 0, "logs and their key are kept, and are paid for: {}", kept["monthly_cost"]);
}

#[test]
fn live_prices_count_where_aws_leaves_no_doubt_and_the_table_stays_elsewhere() {
    let bench = Bench::strict();
    let found = cost(&bench, " --live --sandbox");
    let now = |name: &str| {
        let prices = found["live"]["prices"].as_array().unwrap();
        prices.iter().find(|now| now["price"] == name).unwrap_or_else(|| panic!("{name}: {prices:#?}"))
    };
    let told = |name: &str| (now(name)["table_usd"].as_str().unwrap(), now(name)["live_usd"].as_str());
    assert_eq!(told("fargate-vcpu"), ("0.04048", Some("0.0506")));
    assert_eq!(told("fargate-gb"), ("0.004445", Some("0.004445")));
    // Of several products of one usage type the one that is meant; of tiers the first that costs anything, for a million.
    assert_eq!(told("alb-hour"), ("0.0225", Some("0.025")));
    assert_eq!(told("rds-multi-az/db.t3.medium"), ("0.145", Some("0.15")));
    assert_eq!(told("kms-requests"), ("3.00", Some("4.00")));
    assert_eq!(told("dashboard"), ("3.00", Some("3.00")));
    assert_eq!(now("fargate-vcpu")["published"], "2026-11-20T00:00:00Z");
    for (name, why) in [
        ("logs-kept", "2 products match"),
        ("nat-hour", "its price is in CNY"),
        ("nat-gb", "AWS counts it in `MB`"),
        ("secret", "no product matches"),
    ] {
        assert_eq!((&now(name)["live_usd"], &now(name)["why"]), (&Value::Null, &json!(why)), "{name}");
    }
    // 302.1432 + 1460 × (0.0506 - 0.04048) + 730 × (0.025 - 0.0225) + 730 × (0.15 - 0.145) + 0.1 × (4 - 3)
    assert_eq!(found["monthly_usd"], "322.4934");
    let lines = found["lines"].as_array().unwrap();
    assert_eq!(lines.iter().map(|line| nanos(&line["monthly_usd"])).sum::<i64>(), nanos(&found["monthly_usd"]));
    let of = |price: &str| lines.iter().find(|line| line["price"] == price).unwrap();
    assert_eq!((&of("fargate-vcpu")["live"], &of("nat-hour")["live"]), (&json!(true), &json!(false)));

    let told = bench.run("cost --live --sandbox").expect_code(0).stdout;
    for line in [
        "at $0.0506 live",
        "Other than in the table of ",
        "$0.04048 → $0.0506 per vCPU-hour",
        "Of the table all the same",
        "its price is in CNY",
        "Total                     $322.49",
    ] {
        assert!(told.contains(line), "{line:?} is not in:\n{told}");
    }
    // Nobody is asked who did not say so.
    assert_eq!(cost(&bench, "").get("live"), None);
}

#[test]
fn prices_of_another_region_are_asked_for_by_its_own_names() {
    let bench = Bench::strict();
    bench.partner("acme", &SHIPPED.replace("us-east-1", "us-west-2"));
    let found = cost(&bench, " --live --sandbox");
    let prices = found["live"]["prices"].as_array().unwrap();
    let live = prices.iter().filter(|now| now["live_usd"] != Value::Null);
    let live: Vec<_> = live.map(|now| (now["price"].as_str().unwrap(), now["live_usd"].as_str().unwrap())).collect();
    assert_eq!(live, [("fargate-vcpu", "0.041"), ("dashboard", "3.00")]);
}

#[test]
fn asking_for_prices_needs_aws_and_a_permission_of_who_plans() {
    let bench = Bench::strict();
    // Nobody answers at the bench's port.
    let ran = bench.run("cost --live").expect_code(1);
    assert!(ran.stderr.contains("GetCallerIdentity") && ran.stdout.is_empty(), "{}", ran.transcript());
    assert!(bench.run("permissions --verb plan").expect_code(0).stdout.contains("\"pricing:GetProducts\""));
    assert!(!bench.run("permissions --verb status").expect_code(0).stdout.contains("pricing:"));
}
