//! An access analyzer of the account: finds what is shared with somebody outside. External access alone, which is free.
//!
//! API: [CreateAnalyzer](https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_CreateAnalyzer.html).
//!
//! Surprises: a region has one analyzer of this type at most. One of the whole organization sees the account too, but only the
//! organization's administrator sees it. What is somebody else's is used as it is (see `baseline`).

use aws_sdk_accessanalyzer::types::{AnalyzerStatus, AnalyzerSummary, Type};
use rcm_engine::model::{Actions, Fault, Id, Observed, OnDestroy, Readiness, Resource};
use serde::{Deserialize, Serialize};

use super::baseline;
use crate::{
    Aws,
    classify::{absent, fault},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What an analyzer should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called, if it is made.
    pub name: String,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:access-analyzer:…:analyzer/…`
    pub analyzer_arn: String,
    /// What somebody else's lacks.
    pub lacks: Vec<String>,
}

/// An analyzer.
pub struct Analyzer;

impl Resource for Analyzer {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "accessanalyzer/analyzer";
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.access_analyzer.create_analyzer().analyzer_name(&spec.name).r#type(Type::Account);
        let request = request.client_token(&cx.identity.token).set_tags(Some(baseline::tags(cx.identity).collect()));
        let answer = request.send().await.map_err(fault("access-analyzer", "CreateAnalyzer"))?;
        answer.arn().map(Id::from).ok_or_else(|| crate::classify::missing("access-analyzer", "CreateAnalyzer", "arn"))
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let analyzer = get(cx.cloud, id).await?;
        let creating = analyzer.is_some_and(|analyzer| *analyzer.status() == AnalyzerStatus::Creating);
        Ok(if creating { Readiness::Pending("being created".to_owned()) } else { Readiness::Ready })
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let Some(analyzer) = get(cx.cloud, id).await? else { return Ok(None) };
        let works = [AnalyzerStatus::Active, AnalyzerStatus::Creating].contains(analyzer.status());
        let lacks = baseline::lacking([(!works, "it does not analyze anything: it is not active")]);
        Ok(Some(Observed::new(Outputs { analyzer_arn: id.to_string(), lacks })))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let pages = cx.cloud.access_analyzer.list_analyzers().r#type(Type::Account).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("access-analyzer", "ListAnalyzers"))?;
        let ours = all.iter().find(|analyzer| analyzer.name() == spec.name);
        Ok(ours.or(all.first()).map(|analyzer| Id::from(analyzer.arn())))
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn actions() -> Actions {
        Actions {
            write: &["access-analyzer:CreateAnalyzer", "access-analyzer:TagResource", "iam:CreateServiceLinkedRole"],
            read: &["access-analyzer:GetAnalyzer", "access-analyzer:ListAnalyzers"],
            delete: &[],
        }
    }
}

async fn get(aws: &Aws, id: &Id) -> Result<Option<AnalyzerSummary>, Fault> {
    let name = id.as_str().rsplit('/').next().unwrap_or_default();
    let answer = aws.access_analyzer.get_analyzer().analyzer_name(name).send().await;
    Ok(absent(answer.map_err(fault("access-analyzer", "GetAnalyzer")))?.and_then(|answer| answer.analyzer))
}
