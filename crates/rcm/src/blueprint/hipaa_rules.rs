//! The rules of AWS Config that the account baseline holds every resource against.
//!
//! Those of AWS's [operational best practices for HIPAA
//! Security](https://docs.aws.amazon.com/config/latest/developerguide/operational-best-practices-for-hipaa_security.html) that are
//! about what rcm makes, or about the account as a whole.

/// The identifiers of AWS's managed rules, each with the safeguard of 45 CFR that it looks after.
pub(super) const RULES: &[(&str, &str)] = &[
    ("ALB_HTTP_TO_HTTPS_REDIRECTION_CHECK", "164.312(e)(2)(ii)"),
    ("CLOUDWATCH_LOG_GROUP_ENCRYPTED", "164.312(a)(2)(iv)"),
    ("CLOUD_TRAIL_CLOUD_WATCH_LOGS_ENABLED", "164.312(b)"),
    ("CLOUD_TRAIL_ENABLED", "164.312(b)"),
    ("CLOUD_TRAIL_ENCRYPTION_ENABLED", "164.312(a)(2)(iv)"),
    ("CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED", "164.312(c)(1)"),
    ("CMK_BACKING_KEY_ROTATION_ENABLED", "164.312(a)(2)(iv)"),
    ("CW_LOGGROUP_RETENTION_PERIOD_CHECK", "164.312(b)"),
    ("DB_INSTANCE_BACKUP_ENABLED", "164.308(a)(7)(ii)(A)"),
    ("EBS_SNAPSHOT_PUBLIC_RESTORABLE_CHECK", "164.308(a)(3)(i)"),
    ("EC2_EBS_ENCRYPTION_BY_DEFAULT", "164.312(a)(2)(iv)"),
    ("ELBV2_ACM_CERTIFICATE_REQUIRED", "164.312(e)(1)"),
    ("ELB_DELETION_PROTECTION_ENABLED", "164.308(a)(7)(i)"),
    ("ELB_LOGGING_ENABLED", "164.312(b)"),
    ("GUARDDUTY_ENABLED_CENTRALIZED", "164.308(a)(5)(ii)(C)"),
    ("IAM_PASSWORD_POLICY", "164.308(a)(5)(ii)(D)"),
    ("IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS", "164.308(a)(3)(i)"),
    ("IAM_ROOT_ACCESS_KEY_CHECK", "164.308(a)(3)(i)"),
    ("IAM_USER_UNUSED_CREDENTIALS_CHECK", "164.308(a)(3)(ii)(C)"),
    ("INCOMING_SSH_DISABLED", "164.312(e)(1)"),
    ("KMS_CMK_NOT_SCHEDULED_FOR_DELETION", "164.312(a)(2)(iv)"),
    ("MFA_ENABLED_FOR_IAM_CONSOLE_ACCESS", "164.312(d)"),
    ("MULTI_REGION_CLOUD_TRAIL_ENABLED", "164.312(b)"),
    ("RDS_INSTANCE_DELETION_PROTECTION_ENABLED", "164.308(a)(7)(i)"),
    ("RDS_INSTANCE_PUBLIC_ACCESS_CHECK", "164.308(a)(3)(i)"),
    ("RDS_LOGGING_ENABLED", "164.312(b)"),
    ("RDS_MULTI_AZ_SUPPORT", "164.308(a)(7)(i)"),
    ("RDS_SNAPSHOTS_PUBLIC_PROHIBITED", "164.308(a)(3)(i)"),
    ("RDS_SNAPSHOT_ENCRYPTED", "164.312(a)(2)(iv)"),
    ("RDS_STORAGE_ENCRYPTED", "164.312(a)(2)(iv)"),
    ("ROOT_ACCOUNT_MFA_ENABLED", "164.312(d)"),
    ("S3_ACCOUNT_LEVEL_PUBLIC_ACCESS_BLOCKS_PERIODIC", "164.308(a)(3)(i)"),
    ("S3_BUCKET_PUBLIC_READ_PROHIBITED", "164.308(a)(3)(i)"),
    ("S3_BUCKET_PUBLIC_WRITE_PROHIBITED", "164.308(a)(3)(i)"),
    ("S3_BUCKET_SERVER_SIDE_ENCRYPTION_ENABLED", "164.312(a)(2)(iv)"),
    ("S3_BUCKET_SSL_REQUESTS_ONLY", "164.312(e)(2)(i)"),
    ("S3_BUCKET_VERSIONING_ENABLED", "164.312(c)(2)"),
    ("SECRETSMANAGER_USING_CMK", "164.312(a)(2)(iv)"),
    ("VPC_DEFAULT_SECURITY_GROUP_CLOSED", "164.312(e)(1)"),
    ("VPC_FLOW_LOGS_ENABLED", "164.312(b)"),
];
