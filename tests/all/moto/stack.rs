//! What Acme's stack is, property by property, read by boto3.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::acme::{PREFIX, one};

pub(super) fn is_as_designed(made: &Value) {
    subnets(made);
    ways_out(made);
    doors(made);
    key(made);
    roles(made);
    database(made);
    edge(made);
    tasks(made);
}

fn entries<'a>(made: &'a Value, kind: &str) -> &'a Vec<Value> {
    made.pointer(kind).and_then(Value::as_array).unwrap_or_else(|| panic!("no {kind}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// The one entry of `kind` at an address.
fn at<'a>(made: &'a Value, kind: &str, address: &str) -> &'a Value {
    let found: Vec<_> = entries(made, kind).iter().filter(|entry| entry["tags"]["rcm:address"] == address).collect();
    assert_eq!(found.len(), 1, "{kind} at {address}: {found:#?}");
    found[0]
}

/// `field` of each of a list.
fn each(list: &Value, field: &str) -> BTreeSet<String> {
    list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter().map(|entry| text(&entry[field])).collect()
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter().map(text).collect()
}

/// The ids of a tier's subnets.
fn tier(made: &Value, name: &str) -> BTreeSet<String> {
    ["a", "b"].map(|zone| text(&at(made, "/ec2/subnets", &format!("network/subnet/{name}-{zone}"))["SubnetId"])).into()
}

fn group(made: &Value, name: &str) -> String {
    text(&one(made, "/ec2/security_groups", "GroupName", &format!("{PREFIX}-{name}"))["GroupId"])
}

fn subnets(made: &Value) {
    let vpc = one(made, "/ec2/vpcs", "CidrBlock", "10.0.0.0/16");
    let expected = [
        ("public-a", "10.0.0.0/20", "us-east-1a"),
        ("public-b", "10.0.16.0/20", "us-east-1b"),
        ("private-a", "10.0.64.0/20", "us-east-1a"),
        ("private-b", "10.0.80.0/20", "us-east-1b"),
        ("database-a", "10.0.128.0/20", "us-east-1a"),
        ("database-b", "10.0.144.0/20", "us-east-1b"),
    ];
    assert_eq!(entries(made, "/ec2/subnets").len(), expected.len());
    for (name, cidr, zone) in expected {
        let subnet = at(made, "/ec2/subnets", &format!("network/subnet/{name}"));
        assert_eq!((&subnet["CidrBlock"], &subnet["AvailabilityZone"]), (&json!(cidr), &json!(zone)), "{name}");
        assert_eq!((&subnet["VpcId"], &subnet["MapPublicIpOnLaunch"]), (&vpc["VpcId"], &json!(false)), "{name}");
    }
}

/// Public subnets lead to the internet gateway, private ones to the NAT gateway, those of the database nowhere.
fn ways_out(made: &Value) {
    let gateways = entries(made, "/ec2/internet_gateways");
    assert_eq!(gateways.len(), 1, "{gateways:#?}");
    assert_eq!(gateways[0]["Attachments"][0]["VpcId"], entries(made, "/ec2/vpcs")[0]["VpcId"]);
    let nat = &entries(made, "/ec2/nat_gateways")[0];
    assert!(tier(made, "public").contains(&text(&nat["SubnetId"])), "{nat:#}");
    let expected = [
        ("public", vec![format!("0.0.0.0/0 {}", text(&gateways[0]["InternetGatewayId"]))]),
        ("private", vec![format!("0.0.0.0/0 {}", text(&nat["NatGatewayId"]))]),
        ("database", vec![]),
    ];
    for (name, leads) in expected {
        let table = at(made, "/ec2/route_tables", &format!("network/route-table/{name}"));
        assert_eq!(each(&table["Associations"], "SubnetId"), tier(made, name), "{name}");
        assert_eq!(routes(table), leads, "{name}");
    }
}

/// Where a table leads beyond the VPC and the endpoint of S3, which has a list of prefixes in the place of a range.
fn routes(table: &Value) -> Vec<String> {
    let routes = table["Routes"].as_array().unwrap().iter().filter(|route| route["GatewayId"] != "local");
    let routes = routes.filter_map(|route| Some((route["DestinationCidrBlock"].as_str()?, route)));
    let via =
        |route: &Value| ["GatewayId", "NatGatewayId"].iter().find_map(|via| route[via].as_str().map(str::to_owned));
    routes.map(|(to, route)| format!("{to} {}", via(route).unwrap_or_else(|| route.to_string()))).collect()
}

/// Who may speak to whom: by group wherever it is not the internet.
fn doors(made: &Value) {
    let names: BTreeMap<String, String> =
        ["alb", "service", "database"].map(|name| (group(made, name), name.to_owned())).into();
    assert_eq!(entries(made, "/ec2/security_groups").len(), names.len());
    for (name, inward, outward) in [
        ("alb", &["443 from 0.0.0.0/0", "80 from 0.0.0.0/0"][..], &["8080 from service"][..]),
        ("service", &["8080 from alb"], &["443 from 0.0.0.0/0", "5432 from database"]),
        ("database", &["5432 from service"], &[]),
    ] {
        let group = one(made, "/ec2/security_groups", "GroupName", &format!("{PREFIX}-{name}"));
        let expected = |doors: &[&str]| doors.iter().map(|door| (*door).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(peers(&group["IpPermissions"], &names), expected(inward), "into {name}");
        assert_eq!(peers(&group["IpPermissionsEgress"], &names), expected(outward), "out of {name}");
    }
}

/// `PORT from PEER` of each permission, whichever way it goes.
fn peers(permissions: &Value, names: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut peers = BTreeSet::new();
    for permission in permissions.as_array().unwrap() {
        assert_eq!((&permission["IpProtocol"], &permission["FromPort"]), (&json!("tcp"), &permission["ToPort"]));
        assert_eq!((&permission["Ipv6Ranges"], &permission["PrefixListIds"]), (&json!([]), &json!([])));
        let ranges = each(&permission["IpRanges"], "CidrIp");
        let groups = each(&permission["UserIdGroupPairs"], "GroupId").into_iter().map(|id| names[&id].clone());
        peers.extend(ranges.into_iter().chain(groups).map(|peer| format!("{} from {peer}", permission["FromPort"])));
    }
    peers
}

fn key(made: &Value) {
    let key = &entries(made, "/kms/keys")[0];
    let alias = one(made, "/kms/aliases", "AliasName", &format!("alias/{PREFIX}"));
    assert_eq!(alias["TargetKeyId"], key["KeyId"]);
    let bucket = one(made, "/s3/buckets", "Name", &format!("{PREFIX}-logs-123456789012-us-east-1"));
    let rule = &bucket["encryption"]["Rules"][0];
    assert_eq!(rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"], key["Arn"]);
    assert_eq!(rule["BucketKeyEnabled"], true);
    may_be_used(&key["policy"]);
}

/// By this account's own, and by services on behalf of this account alone.
fn may_be_used(policy: &Value) {
    let services = ["rds", "s3", "ecr", "secretsmanager"].map(|service| format!("{service}.us-east-1.amazonaws.com"));
    let expected = [
        ("AccountAdministers", json!({"AWS": "arn:aws:iam::123456789012:root"}), Value::Null),
        (
            "LogsOfThisAccount",
            json!({"Service": "logs.us-east-1.amazonaws.com"}),
            json!({"ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:us-east-1:123456789012:*"}}),
        ),
        (
            "ServicesForThisAccount",
            json!({"AWS": "*"}),
            json!({"StringEquals": {"kms:CallerAccount": "123456789012", "kms:ViaService": services}}),
        ),
        (
            "AlarmsOfThisAccount",
            json!({"Service": "cloudwatch.amazonaws.com"}),
            json!({"StringEquals": {"aws:SourceAccount": "123456789012"}}),
        ),
        (
            "DatabaseEventsOfThisAccount",
            json!({"Service": "events.rds.amazonaws.com"}),
            json!({"StringEqualsIfExists": {"aws:SourceAccount": "123456789012"}}),
        ),
    ];
    let statements = policy["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), expected.len(), "{policy:#}");
    for (statement, (sid, principal, condition)) in statements.iter().zip(expected) {
        assert_eq!((&statement["Sid"], &statement["Effect"]), (&json!(sid), &json!("Allow")));
        assert_eq!((&statement["Principal"], &statement["Condition"]), (&principal, &condition), "{sid}");
        let everything = statement["Action"].to_string().contains("kms:*");
        assert_eq!(everything, sid == "AccountAdministers", "{statement:#}");
    }
}

/// Each may touch what is this partner's. What AWS lets nobody narrow down is named here.
fn roles(made: &Value) {
    let key = &entries(made, "/kms/keys")[0]["Arn"];
    let arn = |service: &str, what: &str| format!("arn:aws:{service}:us-east-1:123456789012:{what}");
    let secret = |name: &str| arn("secretsmanager", &format!("secret:acme-rcm/{name}-??????"));
    let repository = |name: &str| arn("ecr", &format!("repository/{PREFIX}-{name}"));
    let flows = arn("logs", &format!("log-group:/vpc/{PREFIX}"));
    let expected = json!({
        "ecs-execution": {
            "ecr:GetAuthorizationToken": "*",
            "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer":
                [repository("api"), repository("web")],
            "logs:CreateLogStream logs:PutLogEvents": arn("logs", &format!("log-group:/ecs/{PREFIX}:log-stream:*")),
            "secretsmanager:GetSecretValue":
                [secret("database-url"), secret("database-reader-url"), secret("jwt-secret")],
            "kms:Decrypt": key,
        },
        "ecs-task": {
            "s3:PutObject": format!("arn:aws:s3:::{PREFIX}-logs-123456789012-us-east-1/application/*"),
            "kms:GenerateDataKey": key,
        },
        "flow-logs": {
            "logs:DescribeLogGroups": "*",
            "logs:CreateLogStream logs:DescribeLogStreams logs:PutLogEvents": [&flows, &format!("{flows}:*")],
        },
        "rds-monitoring": {},
    });
    let found = entries(made, "/iam/roles").iter().map(|role| {
        let name = text(&role["RoleName"]);
        (name.trim_start_matches(&format!("{PREFIX}-")).to_owned(), allowed(&role["inline_policies"]))
    });
    assert_eq!(found.collect::<Value>(), expected);
}

/// What policies allow: the resources of each list of actions.
fn allowed(policies: &Value) -> Value {
    let statements = policies.as_object().unwrap().values().flat_map(|policy| policy["Statement"].as_array().unwrap());
    let words = |actions: &Value| match actions.as_array() {
        Some(actions) => actions.iter().map(text).collect::<Vec<_>>().join(" "),
        None => text(actions),
    };
    statements
        .map(|statement| {
            assert_eq!(statement["Effect"], "Allow", "{statement:#}");
            (words(&statement["Action"]), statement["Resource"].clone())
        })
        .collect()
}

fn database(made: &Value) {
    let instance = one(made, "/rds/instances", "DBInstanceIdentifier", &format!("{PREFIX}-db"));
    assert_eq!(each(&instance["DBSubnetGroup"]["Subnets"], "SubnetIdentifier"), tier(made, "database"));
    assert_eq!(each(&instance["VpcSecurityGroups"], "VpcSecurityGroupId"), [group(made, "database")].into());
    let in_use = each(&instance["DBParameterGroups"], "DBParameterGroupName");
    assert_eq!(in_use, [format!("{PREFIX}-db-postgres17")].into());
    for name in in_use {
        let group = one(made, "/rds/parameter_groups", "DBParameterGroupName", &name);
        assert_eq!(group["parameters"], json!({"rds.force_ssl": "1"}));
    }
}

fn edge(made: &Value) {
    let balancer = one(made, "/elbv2/load_balancers", "LoadBalancerName", &format!("{PREFIX}-alb"));
    assert_eq!(balancer["Scheme"], "internet-facing");
    assert_eq!(each(&balancer["AvailabilityZones"], "SubnetId"), tier(made, "public"));
    assert_eq!(texts(&balancer["SecurityGroups"]), [group(made, "alb")].into());
    let certificate = one(made, "/acm/certificates", "DomainName", "rcm.acme.com");
    assert_eq!(certificate["DomainValidationOptions"][0]["ValidationMethod"], "DNS");
}

fn tasks(made: &Value) {
    let definition = one(made, "/ecs/task_definitions", "family", &format!("{PREFIX}-api"));
    assert_eq!(definition["requiresCompatibilities"], json!(["FARGATE"]));
    assert_eq!(definition["networkMode"], "awsvpc");
    for (field, name) in [("executionRoleArn", "ecs-execution"), ("taskRoleArn", "ecs-task")] {
        let role = one(made, "/iam/roles", "RoleName", &format!("{PREFIX}-{name}"));
        assert_eq!(definition[field], role["Arn"]);
    }
    let arn = |name: &str| &one(made, "/secretsmanager/secrets", "Name", &format!("acme-rcm/{name}"))["ARN"];
    let secrets = [("DATABASE_URL", arn("database-url")), ("JWT_SECRET", arn("jwt-secret"))]
        .map(|(name, arn)| json!({"name": name, "valueFrom": arn}));
    assert_eq!(definition["containerDefinitions"][0]["secrets"], json!(secrets));

    let service = one(made, "/ecs/services", "serviceName", &format!("{PREFIX}-api"));
    let network = &service["networkConfiguration"]["awsvpcConfiguration"];
    assert_eq!(texts(&network["subnets"]), tier(made, "private"));
    assert_eq!(texts(&network["securityGroups"]), [group(made, "service")].into());
    let group = one(made, "/elbv2/target_groups", "TargetGroupName", &format!("{PREFIX}-api"));
    let balanced = json!({"targetGroupArn": group["TargetGroupArn"], "containerName": "api", "containerPort": 8080});
    assert_eq!(service["loadBalancers"], json!([balanced]));
}
