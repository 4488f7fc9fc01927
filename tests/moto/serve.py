"""Runs moto_server on a free loopback port until standard input closes, so that no server outlives the test that started it.

The port is in the log: werkzeug binds before it writes "Running on http://127.0.0.1:PORT".
"""

import json
import os
import sys
import threading
import types
import xml.etree.ElementTree

import iam  # noqa: F401 it mends moto's IAM
from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.cloudtrail.models import Trail
from moto.config.responses import ConfigResponse
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.ec2.models.network_acls import NetworkAcl
from moto.ec2.models.vpcs import VPCEndPoint
from moto.ec2.responses import EC2Response
from moto.ec2.responses.network_acls import NetworkACLs
from moto.ecr.responses import ECRResponse
from moto.ecs.models import EC2ContainerServiceBackend
from moto.rds.models import DBInstance
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response
from moto.server import main
from moto.wafv2.models import FakeWebACL
from moto.wafv2.responses import WAFV2Response


def bucket_versioning(response):
    """AWS's root element is VersioningConfiguration; moto names it after the operation, which the Rust SDK refuses."""
    status = response.backend.get_bucket_versioning(response.bucket_name)
    inner = f"<Status>{status}</Status>" if status else ""
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    return 200, {}, f'<VersioningConfiguration xmlns="{namespace}">{inner}</VersioningConfiguration>'


def endpoint_filter(endpoint, filter_name, *rest):
    """AWS filters endpoints by their id too; moto answers 500."""
    if filter_name == "vpc-endpoint-id":
        return endpoint.id
    return filter_value(endpoint, filter_name, *rest)


def may_write_logs(target_bucket, target_prefix):
    """A statement about everybody is a statement like any other; moto answers 500."""
    policy = json.loads(target_bucket.policy or b'{"Statement": []}')
    policy["Statement"] = [one for one in policy["Statement"] if isinstance(one["Principal"], dict)]
    target = types.SimpleNamespace(
        policy=json.dumps(policy).encode(), name=target_bucket.name, partition=target_bucket.partition
    )
    return log_permissions(target_bucket=target, target_prefix=target_prefix)


def protecting(operation):
    """A web ACL keeps which fields are protected; moto forgets it."""

    def kept(response):
        answer, asked = operation(response), json.loads(response.body)
        for acl in response.wafv2_backend.wacls.values():
            if acl.name == asked["Name"]:
                acl.data_protection_config = asked.get("DataProtectionConfig")
        return answer

    return kept


def protected(acl):
    return {**web_acl(acl), "DataProtectionConfig": getattr(acl, "data_protection_config", None)}


def registered(response):
    """A scalable target keeps the tags that it was made with; moto forgets them."""
    answer = register_target(response)
    tags = response.applicationautoscaling_backend.__dict__.setdefault("tags_of_targets", {})
    tags.setdefault(json.loads(answer)["ScalableTargetARN"], response._get_param("Tags") or {})
    return answer


def tags_of_target(response):
    """AWS lists the tags of a scalable target; moto has no such call."""
    tags = response.applicationautoscaling_backend.__dict__.get("tags_of_targets", {})
    return json.dumps({"Tags": tags.get(response._get_param("ResourceARN"), {})})


def notifications(response):
    """That a bucket tells EventBridge is in AWS's answer; moto leaves it out."""
    configuration = response.backend.get_bucket_notification_configuration(response.bucket_name)
    inner = "<EventBridgeConfiguration/>" if configuration and configuration.event_bridge is not None else ""
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    return 200, {}, f'<NotificationConfiguration xmlns="{namespace}">{inner}</NotificationConfiguration>'


def database_with_insights(database, *arguments, **named):
    """Performance Insights is part of a database's description; moto throws it away."""
    make_database(database, *arguments, **named)
    database.performance_insights_enabled = named.get("enable_performance_insights", False)
    database.performance_insights_kms_key_id = named.get("performance_insights_kms_key_id")


def acl_filter(acl, filter_name, *rest):
    """AWS filters network ACLs by their id too; moto answers 500."""
    if filter_name == "network-acl-id":
        return acl.id
    return acl_filter_value(acl, filter_name, *rest)


def acl_parameter(response, name, if_none=None):
    """The type and code of an ICMP entry; moto looks for them under another name than it reads them by."""
    return parameter(response, name.replace("Icmp.", "IcmpTypeCode."), if_none)


def bucket_with_tags(response, request, bucket_name, *rest):
    """CreateBucket takes tags in its configuration; moto throws them away."""
    answer = put_bucket(response, request, bucket_name, *rest)
    if b"<CreateBucketConfiguration" in response.body:
        configuration = xml.etree.ElementTree.fromstring(response.body)
        tags = configuration.findall("{*}Tags/{*}Tag")
        tags = {tag.findtext("{*}Key"): tag.findtext("{*}Value") for tag in tags}
        response.backend.put_bucket_tagging(bucket_name, tags)
    return answer


def service_with_deployment(backend, service_properties):
    """A service that is given another revision gets a deployment of it; moto goes on naming the first one for ever."""
    service = update_service(backend, service_properties)
    for deployment in service.deployments:
        deployment["taskDefinition"] = service.task_definition
        deployment["desiredCount"] = service.desired_count
    return service


def policies_by_name(response):
    """AWS describes the policies that are named; moto describes all there are."""
    answer, names = json.loads(describe_policies(response)), response._get_param("PolicyNames")
    if names:
        answer["ScalingPolicies"] = [policy for policy in answer["ScalingPolicies"] if policy["PolicyName"] in names]
    return json.dumps(answer)


def found_or_not(method):
    """What is gone already is an ObjectNotFoundException in AWS; moto says ValidationException, as of a bad request."""

    def call(*arguments, **named):
        try:
            return method(*arguments, **named)
        except AWSValidationException as error:
            if error.message.startswith("No scal"):
                raise JsonRESTError("ObjectNotFoundException", error.message) from error
            raise

    return call


def trail_described(trail, *arguments, **named):
    """Whether somebody has chosen what a trail logs; moto always says no."""
    described = describe_trail(trail, *arguments, **named)
    return described | {"HasCustomEventSelectors": bool(trail.event_selectors or trail.advanced_event_selectors)}


def kept(attribute, missing):
    """What moto has no operations for, kept beside what it keeps."""

    def of(backend):
        if not hasattr(backend, attribute):
            setattr(backend, attribute, missing())
        return getattr(backend, attribute)

    return of


blocks = kept("blocks_of_public_access", dict)
packs = kept("conformance_packs", dict)


def block(name, parameter, member):
    """The blocks of public snapshots and images: moto has neither."""

    def enable(response):
        blocks(response.ec2_backend)[name] = response._get_param(parameter)
        return ActionResult({member: blocks(response.ec2_backend)[name]})

    def disable(response):
        blocks(response.ec2_backend).pop(name, None)
        return ActionResult({member: "unblocked"})

    def state(response):
        return ActionResult({member: blocks(response.ec2_backend).get(name, "unblocked")})

    return enable, disable, state


def put_conformance_pack(response):
    """moto has the conformance packs of organizations alone."""
    name = response._get_param("ConformancePackName")
    if not response.config_backend.recorders:
        raise JsonRESTError("NoAvailableConfigurationRecorderException", "there is no recorder")
    resources = json.loads(response._get_param("TemplateBody"))["Resources"]
    packs(response.config_backend)[name] = resources
    return json.dumps({"ConformancePackArn": pack_status(response, name)["ConformancePackArn"]})


def pack_status(response, name):
    where = f"{response.region}:{response.current_account}"
    return {
        "ConformancePackName": name,
        "ConformancePackId": f"conformance-pack-{name}",
        "ConformancePackArn": f"arn:aws:config:{where}:conformance-pack/{name}/1",
        "ConformancePackState": "CREATE_COMPLETE",
        "StackArn": f"arn:aws:cloudformation:{where}:stack/awsconfigconforms-{name}/1",
        "LastUpdateRequestedTime": 1790000000,
    }


def describe_conformance_pack_status(response):
    names = response._get_param("ConformancePackNames") or list(packs(response.config_backend))
    if any(name not in packs(response.config_backend) for name in names):
        raise JsonRESTError("NoSuchConformancePackException", f"there is no pack of {names}")
    return json.dumps({"ConformancePackStatusDetails": [pack_status(response, name) for name in names]})


def authorized(response):
    """ECR names the registry that takes its images; moto has none, and names AWS's."""
    answer = authorization_token(response)
    for data in answer.result["authorizationData"]:
        data["proxyEndpoint"] = os.environ.get("RCM_TEST_REGISTRY", data["proxyEndpoint"])
    return answer


authorization_token = ECRResponse.get_authorization_token
ECRResponse.get_authorization_token = authorized
ConfigResponse.put_conformance_pack = put_conformance_pack
ConfigResponse.describe_conformance_pack_status = describe_conformance_pack_status
for name, parameter, member in (
    ("snapshot", "State", "State"),
    ("image", "ImageBlockPublicAccessState", "ImageBlockPublicAccessState"),
):
    enable, disable, state = block(name, parameter, member)
    setattr(EC2Response, f"enable_{name}_block_public_access", enable)
    setattr(EC2Response, f"disable_{name}_block_public_access", disable)
    setattr(EC2Response, f"get_{name}_block_public_access_state", state)
for operation in ("deregister_scalable_target", "delete_scaling_policy"):
    setattr(
        ApplicationAutoscalingBackend, operation, found_or_not(getattr(ApplicationAutoscalingBackend, operation))
    )
describe_policies = ApplicationAutoScalingResponse.describe_scaling_policies
ApplicationAutoScalingResponse.describe_scaling_policies = policies_by_name
describe_trail = Trail.description
Trail.description = trail_described
update_service = EC2ContainerServiceBackend.update_service
EC2ContainerServiceBackend.update_service = service_with_deployment
put_bucket = S3Response._bucket_response_put
S3Response._bucket_response_put = bucket_with_tags
make_database = DBInstance.__init__
DBInstance.__init__ = database_with_insights
filter_value = VPCEndPoint.get_filter_value
VPCEndPoint.get_filter_value = endpoint_filter
register_target = ApplicationAutoScalingResponse.register_scalable_target
ApplicationAutoScalingResponse.register_scalable_target = registered
ApplicationAutoScalingResponse.list_tags_for_resource = tags_of_target
parameter = NetworkACLs._get_param
NetworkACLs._get_param = acl_parameter
acl_filter_value = NetworkAcl.get_filter_value
NetworkAcl.get_filter_value = acl_filter
for operation in ("create_web_acl", "update_web_acl"):
    setattr(WAFV2Response, operation, protecting(getattr(WAFV2Response, operation)))
web_acl = FakeWebACL.to_dict
FakeWebACL.to_dict = protected
S3Response.get_bucket_versioning = bucket_versioning
S3Response.get_bucket_notification = notifications
log_permissions = FakeBucket._log_permissions_enabled_policy
FakeBucket._log_permissions_enabled_policy = staticmethod(may_write_logs)


def leave_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=leave_with_parent, daemon=True).start()
main(["-H", "127.0.0.1", "-p", sys.argv[1] if len(sys.argv) > 1 else "0"])
