//! The association of a web ACL with a load balancer: from then on every request passes the one before the other.
//!
//! API: [AssociateWebACL](https://docs.aws.amazon.com/waf/latest/APIReference/API_AssociateWebACL.html),
//! [DisassociateWebACL](https://docs.aws.amazon.com/waf/latest/APIReference/API_DisassociateWebACL.html).
//!
//! Surprises:
//! - A load balancer has one web ACL, and associating another takes the place of the first without a word. So somebody else's is
//!   looked for before, and left in its place.
//! - A web ACL or a load balancer that was made a moment ago is `WAFUnavailableEntityException`, as a rule for a minute, and now
//!   and then for more than five ([seen by others](https://github.com/hashicorp/terraform-provider-aws/issues/29080)): longer than a
//!   create is tried again. So configure goes on asking.
//! - It carries no tags. It goes with the load balancer.

use rcm_engine::model::{Actions, Fault, FaultKind, Id, Known, Observed, Pace, Readiness, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    batch::each,
    elb_load_balancer::LoadBalancer,
    wafv2::{pairs, tags_of},
    wafv2_web_acl::WebAcl,
};
use crate::{
    Aws,
    classify::{absent, fault},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What stands before what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The load balancer. Its ARN is the id, so it cannot drift.
    pub load_balancer: Ref<LoadBalancer>,
    /// The web ACL before it.
    pub web_acl: Ref<WebAcl>,
}

/// What AWS gave: nothing that others could refer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {}

/// The association of a web ACL with a load balancer.
pub struct Association;

impl Resource for Association {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "wafv2/association";
    const REPLACE_ON: &'static [&'static str] = &["load_balancer"];
    const PACE: Pace = Pace::slow(60, 900);

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let (balancer, wanted) = (cx.id(&spec.load_balancer)?, cx.id(&spec.web_acl)?);
        if let Some(other) = before(cx.cloud, &balancer).await?.filter(|other| *other != wanted)
            && !is_ours(cx, &other).await?
        {
            let message = format!("the web ACL {other} stands before {balancer}");
            return Err(Fault::ours(FaultKind::Exists, "AssociateWebACL", "AnothersWebACL", message));
        }
        match associate(cx.cloud, &balancer, &wanted).await {
            Err(fault) if fault.kind != FaultKind::InUse => Err(fault),
            _ => Ok(balancer),
        }
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let wanted = cx.id(&spec.web_acl)?;
        if before(cx.cloud, id).await?.as_ref() == Some(&wanted) {
            return Ok(());
        }
        associate(cx.cloud, id, &wanted).await
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        Ok(match before(cx.cloud, id).await? {
            Some(_) => Readiness::Ready,
            None => Readiness::Pending("not visible yet".to_owned()),
        })
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(before(cx.cloud, id).await?.map(|web_acl| {
            Observed::new(Outputs {}).see("load_balancer", id.as_str()).see("web_acl", web_acl.as_str())
        }))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        each::<Self>(known).await
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let (balancer, wanted) = (cx.id(&spec.load_balancer)?, cx.id(&spec.web_acl)?);
        Ok(before(cx.cloud, &balancer).await?.filter(|found| *found == wanted).map(|_| balancer))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        // Somebody else's web ACL in the place of ours stays.
        match before(cx.cloud, id).await? {
            Some(found) if is_ours(cx, &found).await? => {
                let sent = cx.cloud.wafv2.disassociate_web_acl().resource_arn(id.as_str()).send().await;
                sent.map(drop).map_err(fault("wafv2", "DisassociateWebACL"))
            }
            _ => Ok(()),
        }
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        cx.id(&spec.load_balancer).is_ok_and(|balancer| balancer == *id)
    }

    fn actions() -> Actions {
        // https://docs.aws.amazon.com/service-authorization/latest/reference/list_awswafv2.html: each call of WAF asks Elastic Load
        // Balancing's permission too.
        Actions {
            write: &[
                "wafv2:AssociateWebACL",
                "wafv2:GetWebACL",
                "wafv2:GetWebACLForResource",
                "wafv2:ListTagsForResource",
                "elasticloadbalancing:CreateWebACLAssociation",
                "elasticloadbalancing:GetLoadBalancerWebACL",
                "elasticloadbalancing:SetWebAcl",
            ],
            read: &["wafv2:GetWebACL", "wafv2:GetWebACLForResource", "elasticloadbalancing:GetLoadBalancerWebACL"],
            delete: &[
                "wafv2:DisassociateWebACL",
                "wafv2:GetWebACL",
                "wafv2:GetWebACLForResource",
                "wafv2:ListTagsForResource",
                "elasticloadbalancing:DeleteWebACLAssociation",
                "elasticloadbalancing:GetLoadBalancerWebACL",
                "elasticloadbalancing:SetWebAcl",
            ],
        }
    }
}

async fn associate(aws: &Aws, balancer: &Id, web_acl: &Id) -> Result<(), Fault> {
    let request = aws.wafv2.associate_web_acl().resource_arn(balancer.as_str()).web_acl_arn(web_acl.as_str());
    request.send().await.map(drop).map_err(fault("wafv2", "AssociateWebACL"))
}

/// The web ACL before a load balancer.
async fn before(aws: &Aws, balancer: &Id) -> Result<Option<Id>, Fault> {
    let sent = aws.wafv2.get_web_acl_for_resource().resource_arn(balancer.as_str()).send().await;
    let answer = absent(sent.map_err(fault("wafv2", "GetWebACLForResource")))?;
    Ok(answer.and_then(|answer| answer.web_acl).map(|found| Id::from(found.arn())))
}

/// Whether a web ACL is one of this deployment's, of whichever generation.
async fn is_ours(cx: &Cx<'_>, web_acl: &Id) -> Result<bool, Fault> {
    let tags = tags_of(cx.cloud, web_acl.as_str()).await?;
    Ok(identity::belongs(&cx.identity.deployment, web_acl.as_str(), pairs(&tags)).is_some())
}
