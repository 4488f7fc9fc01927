"""What moto lacks to judge the calls of a policy that says more than which actions.

moto knows of a call neither the resource, but for S3, nor any tags: a statement that confines them would allow nothing. Here it allows
its actions, so that moto refuses what is in no statement. Which actions its services have is moto's own knowledge.

Signatures are not compared: moto signs a form again as it would have written it, and the Rust SDK writes it otherwise.
"""

from moto.iam.access_control import IAMPolicyStatement, IAMRequestBase, PermissionResult
from moto.s3.responses import ACTION_MAP

# What moto takes for something else: a listing of the bucket, or its create.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
for method, verb in (("GET", "Get"), ("PUT", "Put")):
    ACTION_MAP["BUCKET"][method] = {
        "encryption": f"{verb}EncryptionConfiguration",
        "ownershipControls": f"{verb}BucketOwnershipControls",
        "publicAccessBlock": f"{verb}BucketPublicAccessBlock",
    } | ACTION_MAP["BUCKET"][method]


def permitted(statement, action, resource="*", principal=None, values=None):
    if "Principal" in statement._statement or statement._statement["Effect"] != "Allow":
        return judge(statement, action, resource, principal, values)
    listed = statement._check_element_matches("Action", action)
    known = resource == "*" or statement._check_element_matches("Resource", resource)
    return PermissionResult.PERMITTED if listed and known else PermissionResult.NEUTRAL


judge, IAMPolicyStatement.is_action_permitted = IAMPolicyStatement.is_action_permitted, permitted
IAMRequestBase.check_signature = lambda _: None
