//! The resource kinds: one file a kind, one line here.

use std::sync::Arc;

use rcm_engine::model::Registry;

use crate::Aws;

mod batch;
mod ec2;
mod elb;
pub mod elsewhere;
mod rds;

/// Declares the modules of the kinds and the registry of them all.
macro_rules! kinds {
    ($($module:ident :: $kind:ident),* $(,)?) => {
        $(pub mod $module;)*

        /// All kinds, working on `aws`.
        pub fn registry(aws: &Arc<Aws>) -> Registry {
            Registry::new()$(.with::<$module::$kind>(aws))*
        }
    };
}

kinds! {
    acm_certificate::Certificate,
    ec2_subnet::Subnet,
    ec2_vpc::Vpc,
    elb_listener::Listener,
    elb_load_balancer::LoadBalancer,
    elb_target_group::TargetGroup,
    rds_instance::Instance,
    rds_parameter_group::ParameterGroup,
    rds_subnet_group::SubnetGroup,
}
