"""Prints everything that a partner's environment consists of, as JSON, read by boto3: a second pair of eyes beside rcm.

    python inventory.py http://127.0.0.1:5000 [REGION]

Each entry is AWS's own description of the resource, with three changes: tags of every service's shape become one map under
"tags", policy documents are parsed, and what takes a call of its own (a bucket's encryption, a role's policies) is added in
snake_case. What an account has without anybody's doing (default VPC, AWS-managed keys, service-linked roles) is left out.
Entries are ordered by their rcm address, then name, then content, so that two inventories can be compared.
A call that the endpoint does not support fails the whole inventory: a gap must not look like an empty account.
"""

import json
import sys
from datetime import date

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

RETRIES = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})


class Cloud:
    """One endpoint's clients, and the few ways of asking them."""

    def __init__(self, endpoint, region):
        self.endpoint, self.region, self.clients = endpoint, region, {}

    def client(self, service):
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service, endpoint_url=self.endpoint, region_name=self.region, config=RETRIES
            )
        return self.clients[service]

    def all(self, service, operation, key, **arguments):
        """Every page of a list."""
        client = self.client(service)
        if client.can_paginate(operation):
            pages = client.get_paginator(operation).paginate(**arguments)
        else:
            pages = [getattr(client, operation)(**arguments)]
        return [item for page in pages for item in page.get(key, [])]

    def one(self, service, operation, key=None, absent=(), **arguments):
        """One answer, or None where AWS says that there is none by one of the codes in `absent`."""
        try:
            answer = getattr(self.client(service), operation)(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] in absent:
                return None
            raise
        answer.pop("ResponseMetadata", None)
        return answer.get(key) if key else answer


def tag_map(tags):
    """One map from the four shapes that AWS uses for tags."""
    if isinstance(tags, dict):
        return dict(sorted(tags.items()))
    pairs = ((t.get("Key", t.get("key", t.get("TagKey"))), t.get("Value", t.get("value", t.get("TagValue")))) for t in tags or [])
    return dict(sorted(pairs))


def entry(item, tags=None, **extra):
    """A description with its tags as a map, and whatever was read beside it."""
    item = dict(item)
    own = [item.pop(key) for key in ("Tags", "tags", "TagList", "TagSet") if key in item]
    return {**item, **extra, "tags": tag_map(tags if tags is not None else next(iter(own), []))}


def document(text):
    """A policy as data, wherever the service gives it as text."""
    return json.loads(text) if isinstance(text, str) else text


def ec2(cloud):
    vpcs = [v for v in cloud.all("ec2", "describe_vpcs", "Vpcs") if not v.get("IsDefault")]
    ours = {v["VpcId"] for v in vpcs}

    def inside(operation, key):
        return [item for item in cloud.all("ec2", operation, key) if item.get("VpcId") in ours]

    def attribute(vpc, name):
        answer = cloud.one("ec2", "describe_vpc_attribute", VpcId=vpc["VpcId"], Attribute=name)
        return answer[name[0].upper() + name[1:]]["Value"]

    default_vpcs_gateway = lambda gateway: gateway["Attachments"] and not any(a["VpcId"] in ours for a in gateway["Attachments"])
    main_table = lambda table: any(a.get("Main") for a in table["Associations"])
    groups = inside("describe_security_groups", "SecurityGroups")
    return {
        "vpcs": [
            entry(
                v,
                enable_dns_support=attribute(v, "enableDnsSupport"),
                enable_dns_hostnames=attribute(v, "enableDnsHostnames"),
            )
            for v in vpcs
        ],
        "subnets": [entry(s) for s in inside("describe_subnets", "Subnets")],
        "internet_gateways": [
            entry(g)
            for g in cloud.all("ec2", "describe_internet_gateways", "InternetGateways")
            if not default_vpcs_gateway(g)
        ],
        "addresses": [entry(a) for a in cloud.all("ec2", "describe_addresses", "Addresses")],
        "nat_gateways": [
            entry(n) for n in cloud.all("ec2", "describe_nat_gateways", "NatGateways") if n["State"] != "deleted"
        ],
        "network_acls": [entry(a) for a in inside("describe_network_acls", "NetworkAcls") if not a["IsDefault"]],
        "route_tables": [entry(t) for t in inside("describe_route_tables", "RouteTables") if not main_table(t)],
        "security_groups": [entry(g) for g in groups if g["GroupName"] != "default"],
        "default_security_groups": [entry(g) for g in groups if g["GroupName"] == "default"],
        "vpc_endpoints": [
            entry(e) for e in inside("describe_vpc_endpoints", "VpcEndpoints") if e["State"].lower() != "deleted"
        ],
    }


def rds(cloud):
    def tags(arn):
        return cloud.one("rds", "list_tags_for_resource", "TagList", ResourceName=arn)

    def chosen(group):
        name = group["DBParameterGroupName"]
        parameters = cloud.all("rds", "describe_db_parameters", "Parameters", DBParameterGroupName=name, Source="user")
        return {p["ParameterName"]: p.get("ParameterValue") for p in parameters}

    parameter_groups = cloud.all("rds", "describe_db_parameter_groups", "DBParameterGroups")
    return {
        "instances": [
            entry(i, tags(i["DBInstanceArn"])) for i in cloud.all("rds", "describe_db_instances", "DBInstances")
        ],
        "subnet_groups": [
            entry(g, tags(g["DBSubnetGroupArn"]))
            for g in cloud.all("rds", "describe_db_subnet_groups", "DBSubnetGroups")
        ],
        "parameter_groups": [
            entry(g, tags(g["DBParameterGroupArn"]), parameters=chosen(g))
            for g in parameter_groups
            if not g["DBParameterGroupName"].startswith("default.")
        ],
        "snapshots": [
            entry(s, tags(s["DBSnapshotArn"]))
            for s in cloud.all("rds", "describe_db_snapshots", "DBSnapshots", SnapshotType="manual")
        ],
    }


def secretsmanager(cloud):
    """Secrets without their values. A planned deletion shows as DeletedDate."""
    secrets = cloud.all("secretsmanager", "list_secrets", "SecretList", IncludePlannedDeletion=True)
    return {"secrets": [entry(s) for s in secrets]}


def kms(cloud):
    def describe(key_id):
        metadata = cloud.one("kms", "describe_key", "KeyMetadata", KeyId=key_id)
        if metadata["KeyManager"] != "CUSTOMER":
            return None
        going = metadata["KeyState"] == "PendingDeletion"
        rotation = None if going else cloud.one("kms", "get_key_rotation_status", KeyId=key_id)
        return entry(
            metadata,
            cloud.all("kms", "list_resource_tags", "Tags", KeyId=key_id),
            policy=document(cloud.one("kms", "get_key_policy", "Policy", KeyId=key_id, PolicyName="default")),
            rotation=rotation,
        )

    keys = [describe(k["KeyId"]) for k in cloud.all("kms", "list_keys", "Keys")]
    aliases = cloud.all("kms", "list_aliases", "Aliases")
    return {
        "keys": [k for k in keys if k],
        "aliases": [entry(a) for a in aliases if not a["AliasName"].startswith("alias/aws/")],
    }


def s3(cloud):
    def describe(bucket):
        name = {"Bucket": bucket["Name"]}
        read = lambda operation, key, *absent: cloud.one("s3", operation, key, absent, **name)
        versions = cloud.one("s3", "list_object_versions", **name)
        return entry(
            bucket,
            read("get_bucket_tagging", "TagSet", "NoSuchTagSet") or [],
            versioning=read("get_bucket_versioning", "Status"),
            encryption=read(
                "get_bucket_encryption",
                "ServerSideEncryptionConfiguration",
                "ServerSideEncryptionConfigurationNotFoundError",
            ),
            policy=document(read("get_bucket_policy", "Policy", "NoSuchBucketPolicy")),
            public_access_block=read(
                "get_public_access_block", "PublicAccessBlockConfiguration", "NoSuchPublicAccessBlockConfiguration"
            ),
            ownership=read("get_bucket_ownership_controls", "OwnershipControls", "OwnershipControlsNotFoundError"),
            lifecycle=read("get_bucket_lifecycle_configuration", "Rules", "NoSuchLifecycleConfiguration"),
            logging=read("get_bucket_logging", "LoggingEnabled"),
            versions=len(versions.get("Versions", [])) + len(versions.get("DeleteMarkers", [])),
        )

    return {"buckets": [describe(b) for b in cloud.all("s3", "list_buckets", "Buckets")]}


def logs(cloud):
    def tags(group):
        arn = group["arn"].removesuffix(":*")
        return cloud.one("logs", "list_tags_for_resource", "tags", resourceArn=arn)

    groups = cloud.all("logs", "describe_log_groups", "logGroups")
    return {"groups": [entry(g, tags(g)) for g in groups]}


def ecr(cloud):
    def describe(repository):
        name = repository["repositoryName"]
        lifecycle = cloud.one(
            "ecr", "get_lifecycle_policy", "lifecyclePolicyText", ("LifecyclePolicyNotFoundException",), repositoryName=name
        )
        return entry(
            repository,
            cloud.one("ecr", "list_tags_for_resource", "tags", resourceArn=repository["repositoryArn"]),
            lifecycle_policy=document(lifecycle),
            images=len(cloud.all("ecr", "list_images", "imageIds", repositoryName=name)),
        )

    return {"repositories": [describe(r) for r in cloud.all("ecr", "describe_repositories", "repositories")]}


def iam(cloud):
    def describe(name):
        role = cloud.one("iam", "get_role", "Role", RoleName=name)
        inline = cloud.all("iam", "list_role_policies", "PolicyNames", RoleName=name)
        attached = cloud.all("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name)
        policy = lambda p: document(cloud.one("iam", "get_role_policy", "PolicyDocument", RoleName=name, PolicyName=p))
        role["AssumeRolePolicyDocument"] = document(role["AssumeRolePolicyDocument"])
        return entry(
            role,
            cloud.all("iam", "list_role_tags", "Tags", RoleName=name),
            inline_policies={p: policy(p) for p in sorted(inline)},
            attached_policies=sorted(p["PolicyArn"] for p in attached),
        )

    roles = cloud.all("iam", "list_roles", "Roles")
    return {"roles": [describe(r["RoleName"]) for r in roles if not r["Path"].startswith("/aws-service-role/")]}


def acm(cloud):
    def describe(arn):
        certificate = cloud.one("acm", "describe_certificate", "Certificate", CertificateArn=arn)
        return entry(certificate, cloud.one("acm", "list_tags_for_certificate", "Tags", CertificateArn=arn))

    summaries = cloud.all("acm", "list_certificates", "CertificateSummaryList")
    return {"certificates": [describe(s["CertificateArn"]) for s in summaries]}


def elbv2(cloud):
    def tags(arn):
        return cloud.one("elbv2", "describe_tags", "TagDescriptions", ResourceArns=[arn])[0]["Tags"]

    def attributes(operation, **which):
        return {a["Key"]: a["Value"] for a in cloud.one("elbv2", operation, "Attributes", **which)}

    balancers = cloud.all("elbv2", "describe_load_balancers", "LoadBalancers")
    groups = cloud.all("elbv2", "describe_target_groups", "TargetGroups")
    listeners = [
        listener
        for balancer in balancers
        for listener in cloud.all(
            "elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer["LoadBalancerArn"]
        )
    ]
    return {
        "load_balancers": [
            entry(
                b,
                tags(b["LoadBalancerArn"]),
                attributes=attributes("describe_load_balancer_attributes", LoadBalancerArn=b["LoadBalancerArn"]),
                web_acl=cloud.one("wafv2", "get_web_acl_for_resource", "WebACL", ResourceArn=b["LoadBalancerArn"]),
            )
            for b in balancers
        ],
        "target_groups": [
            entry(
                g,
                tags(g["TargetGroupArn"]),
                attributes=attributes("describe_target_group_attributes", TargetGroupArn=g["TargetGroupArn"]),
            )
            for g in groups
        ],
        "listeners": [entry(listener, tags(listener["ListenerArn"])) for listener in listeners],
    }


def ecs(cloud):
    def clusters():
        for arn in cloud.all("ecs", "list_clusters", "clusterArns"):
            include = ["ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"]
            for cluster in cloud.one("ecs", "describe_clusters", "clusters", clusters=[arn], include=include):
                if cluster["status"] != "INACTIVE":
                    yield cluster

    def services(cluster):
        arn = cluster["clusterArn"]
        for service in cloud.all("ecs", "list_services", "serviceArns", cluster=arn):
            described = cloud.one(
                "ecs", "describe_services", "services", cluster=arn, services=[service], include=["TAGS"]
            )
            yield from (s for s in described if s["status"] != "INACTIVE")

    def definition(arn):
        answer = cloud.one("ecs", "describe_task_definition", taskDefinition=arn, include=["TAGS"])
        return entry(answer["taskDefinition"], answer.get("tags", []))

    live = list(clusters())
    arns = cloud.all("ecs", "list_task_definitions", "taskDefinitionArns", status="ACTIVE")
    return {
        "clusters": [entry(c) for c in live],
        "services": [entry(s) for c in live for s in services(c)],
        "task_definitions": [definition(arn) for arn in arns],
    }


def wafv2(cloud):
    def describe(summary):
        acl = cloud.one("wafv2", "get_web_acl", "WebACL", Scope="REGIONAL", Name=summary["Name"], Id=summary["Id"])
        arn, absent = acl["ARN"], ("WAFNonexistentItemException",)
        tags = cloud.one("wafv2", "list_tags_for_resource", "TagInfoForResource", ResourceARN=arn)["TagList"]
        logging = cloud.one("wafv2", "get_logging_configuration", "LoggingConfiguration", absent, ResourceArn=arn)
        return entry(acl, tags, logging=logging)

    return {"web_acls": [describe(s) for s in cloud.all("wafv2", "list_web_acls", "WebACLs", Scope="REGIONAL")]}


def application_autoscaling(cloud):
    name = "application-autoscaling"
    targets = cloud.all(name, "describe_scalable_targets", "ScalableTargets", ServiceNamespace="ecs")
    policies = cloud.all(name, "describe_scaling_policies", "ScalingPolicies", ServiceNamespace="ecs")
    actions = cloud.all(name, "describe_scheduled_actions", "ScheduledActions", ServiceNamespace="ecs")

    def tags(target):
        return cloud.one(name, "list_tags_for_resource", "Tags", ResourceARN=target["ScalableTargetARN"])

    return {
        "scalable_targets": [entry(t, tags(t)) for t in targets],
        "scaling_policies": [entry(p) for p in policies],
        "scheduled_actions": [entry(a) for a in actions],
    }


SECTIONS = (ec2, rds, secretsmanager, kms, s3, logs, ecr, iam, acm, elbv2, wafv2, ecs, application_autoscaling)


def plain(value):
    """What JSON has no type for."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} in an inventory")


def ordered(items):
    def key(item):
        tags = item["tags"]
        return tags.get("rcm:address", ""), tags.get("Name", ""), json.dumps(item, sort_keys=True, default=plain)

    return sorted(items, key=key)


def main(endpoint, region="us-east-1"):
    cloud = Cloud(endpoint, region)
    sections = {section.__name__: section(cloud) for section in SECTIONS}
    inventory = {name: {kind: ordered(items) for kind, items in kinds.items()} for name, kinds in sections.items()}
    json.dump(inventory, sys.stdout, indent=1, sort_keys=True, default=plain)


if __name__ == "__main__":
    main(*sys.argv[1:])
