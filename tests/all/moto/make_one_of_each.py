# One of everything that the inventory knows. Runs after the prelude of `rcm_testkit::boto3`.
TAG = [{"Key": "rcm:address", "Value": "x"}]
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]})

ec2 = client("ec2")
vpc = ec2.create_vpc(
    CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "acme"}]}]
)["Vpc"]["VpcId"]
ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
subnets = [
    ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
    for i, zone in enumerate("ab")
]
gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
address = ec2.allocate_address(Domain="vpc")["AllocationId"]
ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)
ec2.create_route_table(VpcId=vpc)
ec2.create_network_acl(VpcId=vpc)
group = ec2.create_security_group(GroupName="alb", Description="alb", VpcId=vpc)["GroupId"]
ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway")

rds = client("rds")
rds.create_db_subnet_group(DBSubnetGroupName="acme", DBSubnetGroupDescription="acme", SubnetIds=subnets, Tags=TAG)
rds.create_db_parameter_group(DBParameterGroupName="acme", DBParameterGroupFamily="postgres16", Description="acme")
rds.modify_db_parameter_group(
    DBParameterGroupName="acme",
    Parameters=[{"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"}],
)
rds.create_db_instance(
    DBInstanceIdentifier="acme",
    DBInstanceClass="db.t4g.micro",
    Engine="postgres",
    MasterUsername="rcm",
    MasterUserPassword="not-a-real-password",
    AllocatedStorage=20,
    DBSubnetGroupName="acme",
)
rds.create_db_snapshot(DBInstanceIdentifier="acme", DBSnapshotIdentifier="acme-1")

client("secretsmanager").create_secret(Name="acme/secret", SecretString="not-a-real-secret", Tags=TAG)

kms = client("kms")
key = kms.create_key(Tags=[{"TagKey": "rcm:address", "TagValue": "x"}])["KeyMetadata"]["KeyId"]
kms.enable_key_rotation(KeyId=key)
kms.create_alias(AliasName="alias/acme", TargetKeyId=key)

s3 = client("s3")
s3.create_bucket(Bucket="acme-logs")
s3.put_bucket_versioning(Bucket="acme-logs", VersioningConfiguration={"Status": "Enabled"})
s3.put_bucket_tagging(Bucket="acme-logs", Tagging={"TagSet": TAG})

client("logs").create_log_group(logGroupName="/ecs/acme", tags={"rcm:address": "x"})
client("ecr").create_repository(repositoryName="acme-api", tags=TAG)

iam = client("iam")
iam.create_role(RoleName="acme", AssumeRolePolicyDocument=TRUST, Tags=TAG)
iam.put_role_policy(RoleName="acme", PolicyName="inline", PolicyDocument=POLICY)
iam.attach_role_policy(
    RoleName="acme", PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
)

client("acm").request_certificate(DomainName="rcm.acme.com", ValidationMethod="DNS", Tags=TAG)

elb = client("elbv2")
balancer = elb.create_load_balancer(Name="acme", Subnets=subnets, SecurityGroups=[group])["LoadBalancers"][0]["LoadBalancerArn"]
targets = elb.create_target_group(Name="acme", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
targets = targets["TargetGroups"][0]["TargetGroupArn"]
elb.create_listener(
    LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": targets}]
)

counted = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": "acme"}
client("wafv2").create_web_acl(Name="acme", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=counted)

ecs = client("ecs")
ecs.create_cluster(clusterName="acme")
ecs.register_task_definition(family="acme", containerDefinitions=[{"name": "api", "image": "api", "memory": 128}])
ecs.create_service(
    cluster="acme",
    serviceName="api",
    taskDefinition="acme",
    desiredCount=0,
    tags=[{"key": "rcm:address", "value": "compute/service"}],
)

scaling = client("application-autoscaling")
service = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/acme/api",
    "ScalableDimension": "ecs:service:DesiredCount",
}
scaling.register_scalable_target(MinCapacity=1, MaxCapacity=2, **service)
scaling.put_scaling_policy(
    PolicyName="cpu",
    PolicyType="TargetTrackingScaling",
    TargetTrackingScalingPolicyConfiguration={
        "TargetValue": 70.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
    },
    **service,
)
scaling.put_scheduled_action(
    ScheduledActionName="night",
    Schedule="cron(0 20 * * ? *)",
    ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 2},
    **service,
)
say("made")
