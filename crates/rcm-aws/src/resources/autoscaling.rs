//! What the Application Auto Scaling kinds share: how it names the thing that scales.

use rcm_engine::model::{Deployment, Id};

/// `service/cluster/name`, as Application Auto Scaling calls the ECS service with that ARN.
pub(super) fn resource_id(service: &Id) -> &str {
    let arn = service.as_str();
    arn.rfind(":service/").map_or(arn, |at| &arn[at + 1..])
}

/// The ARN of the ECS service that Application Auto Scaling calls `resource_id`: the inverse of [`resource_id`].
pub(super) fn service_arn(deployment: &Deployment, resource_id: &str) -> String {
    let Deployment { partition, region, account, .. } = deployment;
    format!("arn:{partition}:ecs:{region}:{account}:{resource_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_one_name_in_either_spelling() {
        let deployment = Deployment {
            project: "acme-rcm".into(),
            partner: "acme".into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        };
        let arn = Id::from("arn:aws:ecs:us-east-1:123456789012:service/acme-rcm-prod-cluster/acme-rcm-prod-api");
        assert_eq!(resource_id(&arn), "service/acme-rcm-prod-cluster/acme-rcm-prod-api");
        assert_eq!(service_arn(&deployment, resource_id(&arn)), arn.as_str());
    }
}
