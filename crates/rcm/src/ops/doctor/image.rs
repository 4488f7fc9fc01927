//! The image that is to run: whether it is still where AWS pulls it from.

use rcm_aws::resources::ecs_service::Service;
use rcm_engine::model::Resource;

use super::Case;
use crate::{Check, Verdict, ops::fixed};

const CHECK: &str = "image";
const DEPLOY: &str = "rcm deploy --image FILE|REF";

pub(super) async fn look(case: Case<'_>) -> Vec<Check> {
    let Some(image) = fixed::deployed(case.config, case.state) else {
        return vec![Check::found(CHECK, Verdict::Warn, "no image is deployed", DEPLOY)];
    };
    let running = match case.ids(Service::KIND).first() {
        Some(service) => running(case, service).await,
        None => None,
    };
    // What tasks are started with is what the service says now, whatever rcm has deployed.
    let image = running.unwrap_or_else(|| image.to_string());
    vec![check(case, &image).await]
}

/// What the service starts its tasks with. Where that cannot be asked, what rcm has deployed is looked for.
async fn running(case: Case<'_>, service: &str) -> Option<String> {
    let health = case.aws.service_health(service).await.ok()??;
    case.aws.images(&health.revision).await.ok()?.into_iter().next()
}

async fn check(case: Case<'_>, image: &str) -> Check {
    let deployment = &case.state.deployment;
    let own = format!("{}.dkr.ecr.{}.", deployment.account, deployment.region);
    let place = image.strip_prefix(&own).and_then(|rest| rest.split_once('/')?.1.split_once('@'));
    let Some((repository, digest)) = place else {
        return Check::unseen(CHECK, format!("{image} is not of this account's registry, which alone was asked"));
    };
    super::told(CHECK, case.aws.has_image(repository, digest).await, |there| match there {
        true => Check::good(CHECK, format!("{digest} is in {repository}")),
        false => {
            let evidence = format!("{digest} is not in {repository} any more: tasks that run go on, and none starts");
            Check::found(CHECK, Verdict::Bad, evidence, DEPLOY)
        }
    })
}
